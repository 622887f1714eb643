"""What happened since a moment: requests, outcomes, waits and tokens, for owners."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from db.models import Job, Step
from db.states import JobState


@dataclass(frozen=True)
class Activity:
    """Counts over the jobs that came since a moment."""

    states: Mapping[JobState, int]
    # Why jobs failed, the most frequent cause first.
    causes: Mapping[str, int]
    # Jobs by the hour in which they came; hours without any are left out.
    hours: Mapping[datetime, int]
    # Of the calls that began in an hour: tokens read and written, and the mean wait in seconds.
    tokens: Mapping[datetime, float]
    waits: Mapping[datetime, float]
    tokens_in: int
    tokens_out: int
    # Seconds from a call's place in line to its start; None: none began.
    mean_wait: float | None
    longest_wait: float | None

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.states.values())


def since(session: Session, moment: datetime) -> Activity:
    """Everybody's jobs together."""
    recent = Job.created_at >= moment
    states = session.execute(select(Job.state, func.count()).where(recent).group_by(Job.state)).all()
    failed = recent & (Job.state == JobState.FAILED)
    causes = session.execute(
        select(Job.error, func.count())
        .where(failed)
        .group_by(Job.error)
        .order_by(func.count().desc(), Job.error)
    ).all()
    hour = _hour(session, Job.created_at)
    hours = session.execute(select(hour, func.count()).where(recent).group_by(hour)).all()
    wait = _seconds(session, Step.created_at, Step.started_at)
    tokens_in, tokens_out, mean, longest = session.execute(
        select(
            func.coalesce(func.sum(Step.tokens_in), 0),
            func.coalesce(func.sum(Step.tokens_out), 0),
            func.avg(wait),
            func.max(wait),
        )
        .join(Job, Job.id == Step.job_id)
        .where(recent, Step.started_at.is_not(None))
    ).one()
    began = _hour(session, Step.started_at)
    calls = session.execute(
        select(began, func.sum(Step.tokens_in + Step.tokens_out), func.avg(wait))
        .join(Job, Job.id == Step.job_id)
        .where(recent, Step.started_at.is_not(None))
        .group_by(began)
    ).all()
    return Activity(
        states=dict(states),
        causes={error or "": count for error, count in causes},
        hours={_read(at): count for at, count in hours},
        tokens={_read(at): float(tokens) for at, tokens, _ in calls},
        waits={_read(at): float(mean_of_hour) for at, _, mean_of_hour in calls},
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        mean_wait=None if mean is None else float(mean),
        longest_wait=None if longest is None else float(longest),
    )


def _read(hour: str) -> datetime:
    return datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC)


def _hour(session: Session, column: Any) -> ColumnElement[str]:
    if session.get_bind().dialect.name == "sqlite":
        return func.strftime("%Y-%m-%d %H", column)
    return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24")


def _seconds(session: Session, begin: Any, end: Any) -> ColumnElement[Any]:
    if session.get_bind().dialect.name == "sqlite":
        return (func.julianday(end) - func.julianday(begin)) * 86_400
    return func.extract("epoch", end) - func.extract("epoch", begin)
