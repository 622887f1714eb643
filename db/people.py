"""The people who ask: their names and languages, remembered so that Slack is asked once a day."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Person


def known(session: Session, team: str, users: Iterable[str], since: datetime) -> dict[str, Person]:
    """Those of `users` seen after `since`, by user id."""
    rows = select(Person).where(Person.team == team, Person.user.in_(set(users)), Person.seen_at >= since)
    return {person.user: person for person in session.scalars(rows)}


def locale(session: Session, team: str, user: str) -> str | None:
    """The locale last seen for a person, such as ko-KR; None when they are new to us."""
    return session.scalar(select(Person.locale).where(Person.team == team, Person.user == user))


def remember(session: Session, person: Person) -> None:
    """Write down what Slack said of a person."""
    session.merge(person)
