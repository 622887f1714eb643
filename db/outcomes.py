"""How a job ends: answered, failed or cancelled, by its deadline at the latest (I3)."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import events, incidents, posts, uploads
from db.models import Job, Step
from db.states import ENDED, OPEN, JobState, Origin, PostKind, StepState


def answer(session: Session, job: Job, result: str, truncated: bool, now: datetime) -> None:
    """Keep the result and want it posted; a job that nobody reads in Slack is done at once."""
    job.result = result
    job.truncated = truncated
    _end(session, job, JobState.ANSWERED, now)
    if job.channel:
        posts.want(session, job, PostKind.RESULT, now)
    if job.callback_url:
        posts.want(session, job, PostKind.CALLBACK, now)
    if not job.channel and not job.callback_url:
        job.state = JobState.DONE


def fail(
    session: Session,
    job: Job,
    error: str,
    params: dict[str, Any],
    now: datetime,
    cause: str | None = None,
    partial: str | None = None,
) -> None:
    """End a job with a reason from the catalogue (`error.<code>`) and want its person told (I3), with as much of
    an answer as there is.

    `cause` is what operators are told, where they can do more with it than with the code.
    """
    job.result = partial
    job.error = error
    job.error_params = params
    _end(session, job, JobState.FAILED, now)
    incidents.report(session, cause or error, now, reference=job.id)
    if job.channel:
        posts.want(session, job, PostKind.FAILURE, now)
    if job.callback_url:
        posts.want(session, job, PostKind.CALLBACK, now)
    if not job.channel and not job.callback_url:
        job.originals = None


def cancel(session: Session, job_id: str, now: datetime) -> bool:
    """End an open job at its owner's wish; whoever runs one of its steps notices at the next heartbeat."""
    job = session.get(Job, job_id, with_for_update=True, populate_existing=True)
    if job is None or job.state not in OPEN:
        return False
    _end(session, job, JobState.CANCELLED, now)
    job.originals = None
    if job.callback_url:
        posts.want(session, job, PostKind.CALLBACK, now)
    return True


def will_settle(session: Session, job_id: str) -> None:
    """Lock a job before its posts are changed, as everywhere (db.line), in a transaction that may end with `settle`."""
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update())


def settle(session: Session, job_id: str) -> None:
    """An answered job whose last post has been shown is done; with nothing left to show, its originals go.

    A result that is read through the API keeps them for as long as it can be read.
    """
    job = session.get(Job, job_id, with_for_update=True, populate_existing=True)
    if job is None or job.state not in ENDED or posts.any_wanted(session, job_id):
        return
    if job.state is JobState.ANSWERED:
        job.state = JobState.DONE
    if job.origin is not Origin.API or job.result is None:
        job.originals = None


def end_overdue(session: Session, now: datetime, most: int = 100) -> list[str]:
    """Fail what has passed its deadline (I3); returns the ids."""
    rows = (
        select(Job)
        .where(Job.state.in_(OPEN), Job.deadline < now)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    # Several cards in the order of their jobs, as everywhere (db.line).
    overdue = sorted(session.scalars(rows), key=lambda job: job.id)
    for job in overdue:
        waited: dict[str, Any] = {"minutes": round((now - job.created_at).total_seconds() / 60, 1)}
        if job.held:
            fail(session, job, "not_confirmed", {**waited, "calls": (job.plan or {}).get("calls", 0)}, now)
        else:
            fail(session, job, "deadline", waited, now)
    return [job.id for job in overdue]


def _end(session: Session, job: Job, state: JobState, now: datetime) -> None:
    job.state = state
    job.ended_at = now
    job.lease_until = None
    job.fence += 1
    job.held = False
    if state is not JobState.FAILED:  # Whose Retry reads them anew.
        uploads.delete(session, job.id)
    # Not the running ones: whoever runs a step holds a slot of the server until its stream is closed.
    session.execute(
        update(Step)
        .where(Step.job_id == job.id, Step.state.in_((StepState.WAITING, StepState.HELD)))
        .values(state=StepState.CANCELLED, ended_at=now)
    )
    events.record(session, job.id, state, now, error=job.error)
    posts.refresh_card(session, job.id)
