"""Preparing: a job is claimed, its claim is kept, and it ends in steps that stand in line, or in a reason why not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db import events, outcomes, posts
from db.jobs import NORMAL, NewStep, add_steps
from db.models import Job
from db.states import OPEN, JobState
from db.turns import Rank

# A request whose text is its thread reads what was answered there before: it waits until that is posted.
_before = aliased(Job)
_FOLLOWS_AN_OPEN_ONE = Job.material_ts.is_not(None) & exists().where(
    _before.channel == Job.channel,
    _before.thread_ts == Job.material_ts,
    _before.state.in_((*OPEN, JobState.ANSWERED)),
    or_(_before.created_at < Job.created_at, (_before.created_at == Job.created_at) & (_before.id < Job.id)),
)

# One thing that was sent, as its card tells it (tasks.understood).
Understood = list[dict[str, Any]]


def claim(session: Session, job_id: str, now: datetime, lease: timedelta) -> Job | None:
    """Take a job for preparing; None when it is taken, gone, or past that stage."""
    free = or_(
        Job.state == JobState.RECEIVED,
        (Job.state == JobState.PREPARING) & (Job.lease_until < now),
    )
    taken = (
        update(Job)
        .where(Job.id == job_id, free, ~_FOLLOWS_AN_OPEN_ONE)
        .values(
            state=JobState.PREPARING,
            fence=Job.fence + 1,
            claims=Job.claims + 1,
            lease_until=now + lease,
            started_at=func.coalesce(Job.started_at, now, type_=Job.started_at.type),
        )
        .returning(Job)
    )
    return session.scalars(taken).one_or_none()


def renew(session: Session, job_id: str, fence: int, now: datetime, lease: timedelta) -> bool:
    """Keep the claim of a job whose preparing takes long. False: it was lost, or the job was ended; stop.

    A lease that ran out may be renewed: whoever takes the job in its place raises the fence (I6).
    """
    kept = (
        update(Job)
        .where(Job.id == job_id, Job.fence == fence, Job.state == JobState.PREPARING)
        .values(lease_until=now + lease)
        .returning(Job.id)
    )
    return session.scalar(kept) is not None


def prepared(
    session: Session,
    job_id: str,
    fence: int,
    backend: str,
    question: str | None,
    steps: Sequence[NewStep],
    now: datetime,
    rank: Rank = NORMAL,
    originals: str | None = None,
    *,
    plan: dict[str, Any] | None = None,
    held: bool = False,
    understood: Understood | None = None,
) -> bool:
    """Put a prepared job's steps in line, or with `held` beside it until `confirm`; `plan` tells its person what
    they are. False: the claim was lost, nothing changed (I6).
    """
    job = _held(session, job_id, fence)
    if job is None:
        return False
    job.understood = understood
    job.state = JobState.WAITING
    job.lease_until = None
    job.question = question
    job.originals = originals
    job.plan = plan
    job.held = held
    add_steps(session, job, backend, 0, steps, now, rank)
    events.record(session, job.id, "prepared", now, steps=len(steps), tokens=sum(s.tokens_in for s in steps))
    posts.refresh_card(session, job.id)
    return True


def cannot_prepare(
    session: Session,
    job_id: str,
    fence: int,
    error: str,
    params: dict[str, Any],
    now: datetime,
    understood: Understood | None = None,
) -> bool:
    """End a job that preparing found impossible. False: the claim was lost, nothing changed (I6)."""
    job = _held(session, job_id, fence)
    if job is None:
        return False
    job.understood = understood
    outcomes.fail(session, job, error, params, now)
    return True


def release(session: Session, job_id: str, now: datetime) -> None:
    """Whoever prepared a job is dead: it need not wait for the end of its lease. The claim counts."""
    session.execute(
        update(Job).where(Job.id == job_id, Job.state == JobState.PREPARING).values(lease_until=now)
    )


def give_back(session: Session, job_id: str, fence: int, now: datetime) -> bool:
    """Leave a job to somebody else, as if it had not been claimed. False: the claim was lost already (I6)."""
    job = _held(session, job_id, fence)
    if job is None:
        return False
    job.lease_until = now
    job.claims -= 1
    return True


def end_hopeless(session: Session, most_claims: int, now: datetime, most: int = 100) -> list[str]:
    """Fail jobs whose preparing killed or froze its worker `most_claims` times; returns the ids."""
    rows = (
        select(Job)
        .where(Job.state == JobState.PREPARING, Job.lease_until < now, Job.claims >= most_claims)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    # Several cards in the order of their jobs, as everywhere (db.line).
    hopeless = sorted(session.scalars(rows), key=lambda job: job.id)
    for job in hopeless:
        outcomes.fail(session, job, "bug", {}, now, cause="worker_killed")
    return [job.id for job in hopeless]


def unclaimed(session: Session, before: datetime, now: datetime, most: int = 50) -> list[str]:
    """Jobs to ring for: received before `before` and still waiting to be prepared, or left by a dead worker."""
    rows = (
        select(Job.id)
        .where(
            ~_FOLLOWS_AN_OPEN_ONE,
            or_(
                (Job.state == JobState.RECEIVED) & (Job.created_at < before),
                (Job.state == JobState.PREPARING) & (Job.lease_until < now),
            ),
        )
        .order_by(Job.created_at)
        .limit(most)
    )
    return list(session.scalars(rows))


def _held(session: Session, job_id: str, fence: int) -> Job | None:
    held = select(Job).where(Job.id == job_id, Job.fence == fence, Job.state == JobState.PREPARING)
    return session.scalar(held.with_for_update())
