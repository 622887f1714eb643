"""The people who ask: their names and languages, remembered so that Slack is asked once a day."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.models import Person
from db.session import add_if_missing


def known(session: Session, team: str, users: Iterable[str], since: datetime) -> dict[str, Person]:
    """Those of `users` seen after `since`, by user id; whoever was never asked whether they are a guest is not known."""
    rows = select(Person).where(
        Person.team == team,
        Person.user.in_(set(users)),
        Person.seen_at >= since,
        Person.is_guest.is_not(None),
    )
    return {person.user: person for person in session.scalars(rows)}


def locale(session: Session, team: str, user: str) -> str | None:
    """The locale last seen for a person, such as ko-KR; None when they are new to us."""
    return session.scalar(select(Person.locale).where(Person.team == team, Person.user == user))


def remember(session: Session, person: Person) -> None:
    """Write down what Slack said of a person."""
    told = {
        "locale": person.locale,
        "name": person.name,
        "seen_at": person.seen_at,
        "is_guest": person.is_guest,
    }
    known = update(Person).where(Person.team == person.team, Person.user == person.user).values(told)
    if session.execute(known.returning(Person.user)).first() is None:
        # Two stages may ask Slack of the same newcomer at once; either answer will do.
        add_if_missing(session, person)
