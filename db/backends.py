"""Model servers, as the line sees them: a limit, and whether to leave them alone for now."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session, aliased

from db.models import Backend, Step
from db.session import add_if_missing
from db.states import StepState

# FOR NO KEY UPDATE: new steps refer to their backend, and PostgreSQL would make them wait for a stronger lock
# while their job, which they hold, is what the lock's holder waits for.
LOCK = {"key_share": True}


# Troubles of a server that answers nobody: one call at a time finds out whether it is back (a half-open circuit).
PROBED = frozenset({"down", "loading", "settings"})

# A quiet house would otherwise write, and on SQLite sync its disk, with every sweep.
MARK_EVERY = timedelta(seconds=2)

# Troubles of a server that has no room.
FULL = frozenset({"busy", "out_of_memory"})


@dataclass(frozen=True)
class Declared:
    """A backend as the settings have it; a learned limit begins at `limit`."""

    name: str
    limit: int
    learned: bool = False
    input_weight: float = 1.0
    output_weight: float = 2.0


def declare(session: Session, declared: Iterable[Declared]) -> None:
    """Make the rows agree with the settings. What a learned limit has learned outlives a restart."""
    # Those that are there in the order in which the sweep locks them.
    session.execute(select(Backend.name).order_by(Backend.name).with_for_update(key_share=True))
    for each in declared:
        known = session.get(Backend, each.name, with_for_update=LOCK)
        if known is None:
            add_if_missing(session, Backend(name=each.name, limit=each.limit))
            known = session.get_one(Backend, each.name, with_for_update=LOCK)
        if not each.learned:
            known.limit, known.learned = each.limit, None
        elif known.learned is None:
            known.limit, known.learned = each.limit, {}
        known.input_weight, known.output_weight = each.input_weight, each.output_weight


def is_out(backend: Backend) -> bool:
    """Whether a backend answers nobody: it is paused, or one call after another found that out."""
    return backend.paused_at is not None or (backend.failures > 1 and backend.trouble in PROBED)


def most_in_flight(limit: int, trouble: str | None, failures: int) -> int:
    """The limit, as it holds now."""
    return 1 if failures and trouble in PROBED else limit


def answers_nobody(session: Session, backend: Backend, since: datetime) -> bool:
    """Whether a full backend has not answered anybody since `since`, though somebody has waited that long."""
    if not backend.failures or backend.trouble not in FULL:
        return False
    calls = select(Step.id).where(Step.backend == backend.name).limit(1)
    waits = calls.where(Step.state == StepState.WAITING, Step.created_at <= since)
    answered = calls.where(Step.state == StepState.DONE, Step.ended_at > since)
    answering = calls.where(Step.state == StepState.RUNNING, Step.tokens_out > 0)
    return bool(session.scalar(waits)) and not (session.scalar(answered) or session.scalar(answering))


def every(session: Session, names: Collection[str] | None = None) -> list[Backend]:
    """All of them, by name, or those of `names`: a row outlives its server's place in the settings."""
    wanted = select(Backend).order_by(Backend.name)
    return list(session.scalars(wanted if names is None else wanted.where(Backend.name.in_(names))))


def pause(
    session: Session, name: str, trouble: str, now: datetime, asked: timedelta | None, longest: timedelta
) -> bool:
    """Let no call start for a while, and say why. True when the trouble is news.

    The while is what the server `asked` for, else 1 s, doubled with every failure in a row up to `longest`.
    Calls that were in flight together fail together: those that come while the backend is paused say
    nothing new.
    """
    backend = session.get_one(Backend, name, with_for_update=LOCK)
    news = backend.trouble != trouble
    if not news and asked is None and backend.not_before is not None and backend.not_before > now:
        return False
    doubled = min(longest, timedelta(seconds=2 ** min(backend.failures, 10)))
    pause_for = doubled if asked is None else asked
    backend.trouble = trouble
    backend.failures += 1
    backend.not_before = now + pause_for
    return news


def hold(session: Session, name: str, words: str | None, now: datetime) -> bool:
    """Keep a backend from being asked until `release`; `words` are for those who wait. False: there is none."""
    return _set_hold(session, name, now, words)


def release(session: Session, name: str) -> bool:
    """End `hold`. False: there is no such backend, or nobody holds it."""
    held = session.scalar(select(Backend.paused_at).where(Backend.name == name))
    return held is not None and _set_hold(session, name, None, None)


def _set_hold(session: Session, name: str, at: datetime | None, words: str | None) -> bool:
    backend = session.get(Backend, name, with_for_update=LOCK)
    if backend is not None:
        backend.paused_at, backend.paused_words = at, words
    return backend is not None


def recovered(session: Session, name: str) -> str | None:
    """A call got through: the trouble, if there was any, is over. Returns it when that is news.

    The condition stands in the UPDATE, so that the usual case takes no lock on the row every claim needs.
    """
    trouble = session.scalar(select(Backend.trouble).where(Backend.name == name))
    over = (
        update(Backend)
        .where(Backend.name == name, Backend.failures > 0)
        # A pause stays: it lapses by itself, and another call may just have been told to wait.
        .values(trouble=None, failures=0)
        .returning(Backend.name)
    )
    return trouble if session.execute(over).first() is not None else None


def mark_swept(session: Session, now: datetime) -> None:
    """Leave the time of a sweep that was asked for, to within MARK_EVERY."""
    due = Backend.swept_at.is_(None) | (Backend.swept_at <= now - MARK_EVERY)
    session.execute(update(Backend).where(due).values(swept_at=now))


def last_swept(session: Session) -> datetime | None:
    """When the last sweep was that was asked for, to within MARK_EVERY; None: there was none yet."""
    return session.scalar(select(func.max(Backend.swept_at)))


def is_unswept(session: Session, since: datetime) -> bool:
    """Whether nobody has swept since then, asked or not; takes no lock."""
    return session.scalar(select(Backend.name).where(_unswept(since))) is not None


def take_sweep(session: Session, since: datetime, now: datetime) -> bool:
    """Take the turn to sweep though nobody asked: True for one of all that find it unswept since then."""
    taken = update(Backend).where(_unswept(since)).values(stood_in_at=now).returning(Backend.name)
    return session.scalar(taken) is not None


def _unswept(since: datetime) -> ColumnElement[bool]:
    """One row is enough to meet at: locking several could cross a sweep."""
    first = select(func.min(aliased(Backend).name)).scalar_subquery()
    times = (Backend.swept_at, Backend.stood_in_at)
    return and_(Backend.name == first, *(time.is_(None) | (time < since) for time in times))


@dataclass(frozen=True)
class Count:
    """Calls at a backend, of all people together."""

    in_flight: int
    waiting: int


def counts(session: Session, now: datetime) -> dict[str, Count]:
    """For each backend: calls whose lease is alive, and calls that wait."""
    calls = select(Step.backend, func.count()).group_by(Step.backend)
    alive = calls.where(Step.state == StepState.RUNNING, Step.lease_until > now)
    in_flight = dict(session.execute(alive).all())
    in_line = dict(session.execute(calls.where(Step.state == StepState.WAITING)).all())
    return {
        name: Count(in_flight.get(name, 0), in_line.get(name, 0))
        for name in session.scalars(select(Backend.name))
    }
