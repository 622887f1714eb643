"""Calls to a model, looked at: those in flight, those answered lately, and what a job's are doing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.orm import Session, aliased

from db.models import Backend, Job, Step
from db.states import StepState

WHOLE = ("single", "reduce", "passages")
"""The kinds of steps whose answer is the job's when they are alone at their level, and no part of it."""

_sibling = aliased(Step)


@dataclass(frozen=True)
class Answered:
    """A call that was answered: its tokens, how long it took, and how many ran when it began, itself included."""

    tokens_in: int
    tokens_out: int
    seconds: float
    in_flight: int


def in_flight(session: Session, backend: str, now: datetime) -> int:
    """Calls at a backend whose lease is alive: as many as may be open at the server."""
    live = (Step.backend == backend) & (Step.state == StepState.RUNNING) & (Step.lease_until > now)
    return session.scalar(select(func.count()).select_from(Step).where(live)) or 0


def answered_since(session: Session, backend: str, since: datetime, most: int = 500) -> list[Answered]:
    """The calls that a backend answered after `since`, the latest `most` of them."""
    rows = session.execute(
        select(Step.tokens_in, Step.tokens_out, Step.started_at, Step.ended_at, Step.in_flight)
        .where(Step.backend == backend, Step.state == StepState.DONE, Step.ended_at > since)
        .order_by(Step.ended_at.desc())
        .limit(most)
    )
    return [
        Answered(tokens_in, tokens_out, (ended - started).total_seconds(), in_flight)
        for tokens_in, tokens_out, started, ended, in_flight in rows
        if started is not None and ended is not None
    ]


def progress(session: Session, job: Job) -> tuple[int, int]:
    """Steps done, and steps known so far, of a job's current attempt."""
    done = func.count().filter(Step.state == StepState.DONE)
    row = session.execute(
        select(done, func.count()).where(Step.job_id == job.id, Step.attempt == job.attempt)
    ).one()
    return row[0], row[1]


def preview(session: Session, job: Job) -> str:
    """What the model has written so far of a job's answer; "" while it writes parts, or nothing yet."""
    mine = (Step.job_id == job.id) & (Step.attempt == job.attempt)
    beside = exists().where(
        _sibling.job_id == Step.job_id,
        _sibling.attempt == Step.attempt,
        _sibling.level == Step.level,
        _sibling.id != Step.id,
    )
    writes = select(Step.answer).where(mine, Step.state == StepState.RUNNING, Step.kind.in_(WHOLE), ~beside)
    return session.scalar(writes) or ""


def trouble(session: Session, job: Job) -> str | None:
    """What is wrong with the backend that a job's calls wait for or run at; moved ones may stand at two."""
    return session.scalar(_TROUBLE, _asked(job))


def paused(session: Session, job: Job) -> str | None:
    """What the owners say of the paused backend that a job's calls wait for; None: it waits for none."""
    return session.scalar(_PAUSED, _asked(job))


def _asked(job: Job) -> dict[str, str | int]:
    return {"job": job.id, "attempt": job.attempt}


# Built once, as in db.posts: every card that waits asks both.
_MINE = (Step.job_id == bindparam("job")) & (Step.attempt == bindparam("attempt"))
_WAITS = Step.state == StepState.WAITING
_TROUBLE = (
    select(Backend.trouble)
    .join(Step, Step.backend == Backend.name)
    .where(_MINE, _WAITS | (Step.state == StepState.RUNNING), Backend.trouble.is_not(None))
    .order_by(Backend.name)
    .limit(1)
)
_PAUSED = (
    select(func.coalesce(Backend.paused_words, ""))
    .join(Step, Step.backend == Backend.name)
    .where(_MINE, _WAITS, Backend.paused_at.is_not(None))
    .limit(1)
)
