"""The people who ask: their names and languages, remembered so that Slack is asked once a day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from db.models import Job, Moment, Person, Step
from db.session import add_if_missing
from db.states import StepState

# Slack is asked about whoever was seen then.
_NEVER = datetime.fromtimestamp(0, UTC)

_OF_LATE = timedelta(days=1)

# Built once, as in db.posts: every card asks it.
_KNOWN = select(Person).where(
    Person.team == bindparam("team"),
    Person.user.in_(bindparam("users", expanding=True)),
    Person.seen_at >= bindparam("since", type_=Moment()),
    Person.is_guest.is_not(None),
)


@dataclass(frozen=True)
class Preferences:
    """What a person chose; None: the language of their Slack, and the default recipe."""

    language: str | None = None
    recipe: str | None = None
    mention: bool = True


@dataclass(frozen=True)
class Usage:
    """The last 24 hours of a person, with the tokens of everybody beside theirs; and all whose words are kept."""

    requests: int
    tokens: int
    tokens_of_all: int
    kept: int


def known(session: Session, team: str, users: Iterable[str], since: datetime) -> dict[str, Person]:
    """Those of `users` seen after `since`, by user id; whoever was never asked whether they are a guest is not known."""
    asked = {"team": team, "users": list(set(users)), "since": since}
    return {person.user: person for person in session.scalars(_KNOWN, asked)}


def locale(session: Session, team: str, user: str) -> str | None:
    """The language that a person chose, or else the locale last seen, such as ko-KR; None: new to us."""
    chosen = func.coalesce(Person.language, Person.locale)
    return session.scalar(select(chosen).where(Person.team == team, Person.user == user))


def preferences(session: Session, team: str, user: str) -> Preferences:
    """What a person chose, or what holds for those who chose nothing."""
    columns = (Person.language, Person.recipe, Person.mention)
    row = session.execute(select(*columns).where(Person.team == team, Person.user == user)).first()
    return Preferences(*row) if row is not None else Preferences()


def prefer(session: Session, team: str, user: str, chosen: Mapping[str, str | bool | None]) -> None:
    """Keep what a person chose of their Preferences; the rest stays, though they choose two things at once.

    Also of one of whom we know nothing else yet.
    """
    add_if_missing(session, Person(team=team, user=user, locale="", name=user, seen_at=_NEVER))
    mine = update(Person).where(Person.team == team, Person.user == user)
    session.execute(mine.values(chosen))


def usage(session: Session, team: str, user: str, now: datetime) -> Usage:
    """What a person used of late, and everybody; and how many of their requests are kept."""
    since = now - _OF_LATE
    tokens = func.coalesce(func.sum(Step.tokens_in + Step.tokens_out), 0)
    lately = select(tokens).where(Step.state == StepState.DONE, Step.ended_at > since)
    mine = (Job.team == team) & (Job.requester == user)
    asked = select(func.count()).select_from(Job).where(mine)
    return Usage(
        requests=session.scalar(asked.where(Job.created_at > since)) or 0,
        tokens=session.scalar(lately.join(Job, Job.id == Step.job_id).where(mine)) or 0,
        tokens_of_all=session.scalar(lately) or 0,
        kept=session.scalar(asked.where(Job.text != "")) or 0,
    )


def forget(session: Session, team: str, user: str) -> None:
    """Delete what we know of a person, but not what they chose: it says nothing of them, and they see it."""
    gone = update(Person).where(Person.team == team, Person.user == user)
    session.execute(gone.values(name=user, locale="", seen_at=_NEVER))


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
