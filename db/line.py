"""The line in front of a model server: claims, leases, fences, and the limit on calls in flight.

Rows are locked in the order backend, job, step, post, so that no two transactions wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session

from db import events, jobs, posts
from db.backends import LOCK
from db.models import Backend, Job, Moment, Step
from db.states import JobState, StepState

_NOW = bindparam("now", type_=Moment())
_DUE = (
    select(Step.id)
    .join(Backend, Backend.name == Step.backend)
    .where(
        Step.backend == bindparam("backend"),
        Step.state == StepState.WAITING,
        Step.not_before <= _NOW,
        Backend.not_before.is_(None) | (Backend.not_before <= _NOW),
    )
    .limit(1)
)


@dataclass(frozen=True)
class Claimed:
    """A step whose turn it is, and the fence that proves that it is ours (I6)."""

    step_id: int
    job_id: str
    fence: int
    attempts: int
    messages: list[dict[str, str]]
    max_tokens: int
    temperature: float
    # Where the job speaks: to be rung when its card or its outcome is due.
    lanes: Sequence[str]
    backend_was_troubled: bool


@dataclass(frozen=True)
class LevelDone:
    """The last step of a level has been answered: what the whole level said, in order."""

    job: Job
    level: int
    answers: Sequence[str]
    truncated: bool


def is_due(session: Session, backend_name: str, now: datetime) -> bool:
    """Whether a claim is worth its lock: many bells find the line empty, or the backend paused."""
    return session.scalar(_DUE, {"backend": backend_name, "now": now}) is not None


def claim(session: Session, backend_name: str, now: datetime, lease: timedelta) -> Claimed | None:
    """Take the step whose turn it is, if the backend has a free slot (I5).

    The lock is a statement of its own: under READ COMMITTED a statement that waits for a lock goes on with
    its old snapshot, and would pick a step that somebody took in the meantime.
    """
    backend = session.get(Backend, backend_name, with_for_update=LOCK)
    if backend is None or (backend.not_before is not None and backend.not_before > now):
        return None
    if _in_flight(session, backend_name, now) >= backend.limit:
        return None
    step = session.scalar(_next_in_line(backend_name, now))
    if step is None:
        return None
    job = session.get_one(Job, step.job_id, with_for_update=True)
    if job.state not in {JobState.WAITING, JobState.RUNNING}:
        # The job ended between our look at the line and our lock on it; its end rings for the next.
        return None
    if job.state is JobState.WAITING:
        job.state = JobState.RUNNING
        events.record(session, job.id, "running", now)
        posts.refresh_card(session, job.id)
    step.state = StepState.RUNNING
    step.fence += 1
    step.claims += 1
    step.started_at = now
    step.lease_until = now + lease
    return Claimed(
        step_id=step.id,
        job_id=job.id,
        fence=step.fence,
        attempts=step.attempts,
        messages=step.messages,
        max_tokens=step.max_tokens,
        temperature=step.temperature,
        lanes=posts.lanes(job),
        backend_was_troubled=backend.failures > 0,
    )


def renew(
    session: Session, claimed: Claimed, partial: str, tokens_out: int, now: datetime, lease: timedelta
) -> bool:
    """Keep the lease and store progress. False: the step is no longer ours, or its job was ended; stop.

    A lease that ran out is not renewed: its slot may have gone to another call already (I5).
    """
    wanted = exists().where(Job.id == Step.job_id, Job.state == JobState.RUNNING, Job.attempt == Step.attempt)
    renewed = (
        update(Step)
        .where(_held(claimed), Step.lease_until > now, wanted)
        .values(lease_until=now + lease, answer=partial, tokens_out=tokens_out)
        .returning(Step.id)
    )
    return session.execute(renewed).first() is not None


def finish(
    session: Session,
    claimed: Claimed,
    answer: str,
    tokens_in: int,
    tokens_out: int,
    truncated: bool,
    now: datetime,
) -> LevelDone | None:
    """Record an answer. Returns the level's answers when this was its last step, else None.

    The lock on the job makes the last two steps of a level finish one after the other, so that exactly one
    of them sees the level complete. A lost claim changes nothing (I6).
    """
    job = session.get_one(Job, claimed.job_id, with_for_update=True)
    step = session.scalar(select(Step).where(_held(claimed)))
    if step is None:
        return None
    step.lease_until = None
    step.ended_at = now
    if not _wanted(job, step):
        step.state = StepState.CANCELLED
        return None
    step.state = StepState.DONE
    step.answer, step.truncated = answer, truncated
    step.tokens_in, step.tokens_out = tokens_in, tokens_out
    session.flush()
    level = list(session.scalars(_same_level(step).order_by(Step.ordinal)))
    posts.refresh_card(session, job.id)
    if any(other.state is not StepState.DONE for other in level):
        return None
    return LevelDone(job, step.level, [one.answer for one in level], any(one.truncated for one in level))


def give_back(session: Session, claimed: Claimed, now: datetime, until: datetime, attempt_used: bool) -> bool:
    """Put a step back in its place in line, not to be taken before `until`. False: it was no longer ours.

    An overload is never the job's fault, so it uses no attempt; and whoever gives a step back is alive, so
    this claim does not count towards those that killed their worker.
    """
    job = session.get_one(Job, claimed.job_id, with_for_update=True)
    step = session.scalar(select(Step).where(_held(claimed)))
    if step is None:
        return False
    step.lease_until = None
    step.claims -= 1
    step.attempts += attempt_used
    if not _wanted(job, step):
        step.state, step.ended_at = StepState.CANCELLED, now
        return True
    step.state = StepState.WAITING
    step.not_before = until
    step.answer, step.tokens_out = "", 0
    session.flush()
    _back_to_waiting(session, job)
    return True


def abandon(session: Session, claimed: Claimed, now: datetime) -> Job | None:
    """End a step that cannot be answered; returns its job, locked, when that is still open for an end."""
    job = session.get_one(Job, claimed.job_id, with_for_update=True)
    step = session.scalar(select(Step).where(_held(claimed)))
    if step is None:
        return None
    step.state, step.lease_until, step.ended_at = StepState.CANCELLED, None, now
    return job if _wanted(job, step) else None


def free_dead(session: Session, now: datetime, most_claims: int) -> list[str]:
    """Put steps with dead leases back in line; end jobs that killed their worker `most_claims` times.

    Returns the backends that have work again. The backends are locked first: two sweeps then take turns.
    """
    freed = []
    for backend in session.scalars(select(Backend).order_by(Backend.name).with_for_update(key_share=True)):
        dead = select(Step).where(
            Step.backend == backend.name, Step.state == StepState.RUNNING, Step.lease_until <= now
        )
        for step in session.scalars(dead).all():
            job = session.get_one(Job, step.job_id, with_for_update=True)
            session.refresh(step)
            if step.state is not StepState.RUNNING or step.lease_until is None or step.lease_until > now:
                continue
            _free(session, job, step, now, most_claims)
            freed.append(backend.name)
    return sorted(set(freed))


def callable_steps(session: Session, now: datetime) -> dict[str, int]:
    """For each backend, how many steps could be claimed right now: what the sweep rings for."""
    counts = {}
    for backend in session.scalars(
        select(Backend).where(or_(Backend.not_before.is_(None), Backend.not_before <= now))
    ):
        free = backend.limit - _in_flight(session, backend.name, now)
        if free > 0:
            some = _next_in_line(backend.name, now).with_only_columns(Step.id).limit(free)
            counts[backend.name] = len(session.scalars(some).all())
    return {name: count for name, count in counts.items() if count}


def progress(session: Session, job: Job) -> tuple[int, int]:
    """Steps done, and steps known so far, of a job's current attempt."""
    done = func.count().filter(Step.state == StepState.DONE)
    row = session.execute(
        select(done, func.count()).where(Step.job_id == job.id, Step.attempt == job.attempt)
    ).one()
    return row[0], row[1]


def _free(session: Session, job: Job, step: Step, now: datetime, most_claims: int) -> None:
    step.lease_until = None
    step.fence += 1
    if not _wanted(job, step):
        step.state, step.ended_at = StepState.CANCELLED, now
    elif step.claims >= most_claims:
        step.state, step.ended_at = StepState.CANCELLED, now
        jobs.fail(session, job, "bug", {}, now)
    else:
        step.state = StepState.WAITING
        session.flush()
        events.record(session, job.id, "lease lost", now, step=step.id)
        _back_to_waiting(session, job)


def _back_to_waiting(session: Session, job: Job) -> None:
    running = exists().where(
        Step.job_id == job.id, Step.attempt == job.attempt, Step.state == StepState.RUNNING
    )
    if not session.scalar(select(running)):
        job.state = JobState.WAITING
    posts.refresh_card(session, job.id)


def _wanted(job: Job, step: Step) -> bool:
    """Whether a step that runs still matters: a retry may have left its attempt behind."""
    return job.state is JobState.RUNNING and job.attempt == step.attempt


def _in_flight(session: Session, backend: str, now: datetime) -> int:
    live = (Step.backend == backend) & (Step.state == StepState.RUNNING) & (Step.lease_until > now)
    return session.scalar(select(func.count()).select_from(Step).where(live)) or 0


def _next_in_line(backend: str, now: datetime) -> Select[Step]:
    due = (Step.backend == backend) & (Step.state == StepState.WAITING) & (Step.not_before <= now)
    return select(Step).where(due).order_by(Step.id).limit(1)


def _same_level(step: Step) -> Select[Step]:
    return select(Step).where(
        Step.job_id == step.job_id, Step.attempt == step.attempt, Step.level == step.level
    )


def _held(claimed: Claimed) -> ColumnElement[bool]:
    return (Step.id == claimed.step_id) & (Step.fence == claimed.fence) & (Step.state == StepState.RUNNING)
