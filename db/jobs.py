"""Jobs: requests as they came, what their people do with them, and who has which."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, defer

from db import events, outcomes, posts, turns
from db.models import Job, Post, Step
from db.session import add_if_missing
from db.states import ENDED, OPEN, JobState, Origin, PostKind, PostState, StepState
from db.turns import Rank

# Base 32 without the letters that people mistake for digits (Crockford); 12 of them are 60 random bits.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

NORMAL = Rank()

# Nothing of these has been sent to a model.
_NOT_BEGUN = (JobState.RECEIVED, JobState.PREPARING, JobState.WAITING)


def new_id() -> str:
    """An id that is also the reference people quote to operators."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


@dataclass(frozen=True)
class NewStep:
    """One model call to be made."""

    kind: str
    messages: list[dict[str, str]]
    tokens_in: int
    max_tokens: int
    temperature: float
    items: int = 0
    pictures: list[dict[str, Any]] | None = None


def find(session: Session, source_key: str, message_key: str | None) -> Job | None:
    """The job that an earlier delivery of the same request made (invariant I2)."""
    same = Job.source_key == source_key
    if message_key is not None:
        same = or_(same, Job.message_key == message_key)
    return session.scalar(select(Job).where(same))


def add(session: Session, job: Job) -> bool:
    """Insert a received job and want its status card. False: the same request is in already (I2)."""
    if not add_if_missing(session, job):
        return False
    events.record(session, job.id, "received", job.created_at, origin=job.origin)
    if job.channel:
        posts.want(session, job, PostKind.CARD, job.created_at)
    return True


def get(session: Session, job_id: str, team: str, requester: str | None = None) -> Job | None:
    """A job by id, if it belongs to that team (and person): an id alone opens nothing."""
    mine = select(Job).where(Job.id == job_id, Job.team == team)
    if requester is not None:
        mine = mine.where(Job.requester == requester)
    return session.scalar(mine)


def any_of(session: Session, job_id: str, team: str | None) -> Job | None:
    """A job for the owners of a workspace, or with None for those of the whole installation."""
    found = session.get(Job, job_id)
    return found if found is not None and team in {None, found.team} else None


def count_open(session: Session, team: str, requester: str) -> int:
    """How many of a person's jobs have not ended."""
    mine = select(func.count()).where(Job.team == team, Job.requester == requester, Job.state.in_(OPEN))
    return session.scalar(mine) or 0


def open_of(session: Session, team: str, requester: str, most: int) -> list[Job]:
    """A person's jobs that have not ended, the latest first; without their texts, which may be long."""
    mine = select(Job).where(Job.team == team, Job.requester == requester, Job.state.in_(OPEN))
    without = mine.options(defer(Job.text, raiseload=True), defer(Job.question, raiseload=True))
    return list(session.scalars(without.order_by(Job.created_at.desc(), Job.id).limit(most)))


def open_in_thread(session: Session, team: str, channel: str, thread_ts: str) -> list[Job]:
    """The jobs that answer in a thread and have not ended."""
    here = (Job.team == team) & (Job.channel == channel) & (Job.thread_ts == thread_ts)
    return list(session.scalars(select(Job).where(here, Job.state.in_(OPEN)).order_by(Job.id)))


def is_answered_in(session: Session, team: str, requester: str, channel: str, thread_ts: str) -> bool:
    """Whether a person was answered in a thread, and that is still kept."""
    theirs = (Job.team == team) & (Job.requester == requester)
    here = (Job.channel == channel) & (Job.thread_ts == thread_ts)
    answered = Job.state.in_((JobState.ANSWERED, JobState.DONE))
    return session.scalar(select(Job.id).where(here, theirs, answered).limit(1)) is not None


def that_began(session: Session, team: str, channel: str, thread_ts: str) -> Job | None:
    """The job whose card a thread hangs from: that of a command, or of the form. None: the thread began otherwise."""
    here = (Job.team == team) & (Job.channel == channel) & (Job.thread_ts == thread_ts)
    commands = select(Job).where(here, Job.origin == Origin.COMMAND)
    return session.scalar(commands.order_by(Job.created_at, Job.id).limit(1))


def of_message(session: Session, message_key: str) -> Job | None:
    """The open job that a message asked for."""
    return session.scalar(select(Job).where(Job.message_key == message_key, Job.state.in_(OPEN)))


def revise(session: Session, message_key: str, asked: Mapping[str, Any], now: datetime) -> Job | None:
    """Let a job that no model has begun on be for what its message says now; None: there is none, or too late.

    It keeps its age, and with that its place among its person's requests.
    """
    job = session.scalar(select(Job).where(Job.message_key == message_key).with_for_update())
    if job is None or job.state not in _NOT_BEGUN:
        return None
    for name, value in asked.items():
        setattr(job, name, value)
    session.execute(delete(Step).where(Step.job_id == job.id, Step.state == StepState.WAITING))
    job.state = JobState.RECEIVED
    job.fence += 1
    job.claims = 0
    job.lease_until = job.question = None
    events.record(session, job.id, "edited", now)
    posts.refresh_card(session, job.id)
    return job


def ended_of(session: Session, team: str, requester: str, most: int) -> list[Job]:
    """A person's jobs that ended, the latest first; without their texts."""
    mine = select(Job).where(Job.team == team, Job.requester == requester, Job.state.in_(ENDED))
    without = mine.options(
        *(defer(column, raiseload=True) for column in (Job.text, Job.question, Job.result))
    )
    return list(session.scalars(without.order_by(Job.created_at.desc(), Job.id).limit(most)))


def forget(session: Session, team: str, requester: str, now: datetime, gone_by: datetime) -> list[Job]:
    """Delete a person's jobs; returns those that had to be cancelled first.

    What still has something to say in Slack loses its words at once, and its row, which then counts as one that
    ended at `gone_by`, with the sweep a minute later: by then the cards say how it ended.
    """
    mine = (Job.team == team) & (Job.requester == requester)
    # All of them first (db.line).
    session.execute(select(Job.id).where(mine).order_by(Job.id).with_for_update())
    opened = session.scalars(select(Job).where(mine, Job.state.in_(OPEN)).order_by(Job.id)).all()
    cancelled = [job for job in opened if outcomes.cancel(session, job.id, now)]
    session.flush()
    speaks = exists().where(Post.job_id == Job.id, Post.state == PostState.WANTED)
    held = exists().where(Step.job_id == Job.id, Step.state == StepState.RUNNING)
    session.execute(delete(Job).where(mine, ~speaks, ~held).execution_options(synchronize_session=False))
    wordless = {
        "text": "",
        "question": None,
        "result": None,
        "feedback_note": None,
        "originals": None,
        "ended_at": gone_by + timedelta(minutes=1),
    }
    session.execute(update(Job).where(mine).values(wordless).execution_options(synchronize_session=False))
    return cancelled


def rate(
    session: Session, job_id: str, team: str, requester: str, good: bool, note: str | None, now: datetime
) -> bool:
    """Keep what a person thinks of their answer, the latest word of it; False: the job is not theirs."""
    job = get(session, job_id, team, requester)
    if job is None:
        return False
    job.feedback = 1 if good else -1
    job.feedback_note = note
    events.record(session, job.id, "rated", now, good=int(good))
    return True


def runs_in(session: Session, channel: str, thread_ts: str) -> bool:
    """Whether the model works on a request of this thread."""
    here = (Job.channel == channel) & (Job.thread_ts == thread_ts) & (Job.state == JobState.RUNNING)
    return session.scalar(select(Job.id).where(here).limit(1)) is not None


def latest_by_origin(session: Session) -> dict[Origin, datetime]:
    """When the latest kept job came through each door."""
    return dict(session.execute(select(Job.origin, func.max(Job.created_at)).group_by(Job.origin)).all())


def add_steps(
    session: Session,
    job: Job,
    backend: str,
    level: int,
    steps: Sequence[NewStep],
    now: datetime,
    rank: Rank = NORMAL,
) -> None:
    """Put the steps of one level in line, in their person's turn; those of a held job beside it."""
    turn_id = None if job.held else turns.join(session, backend, job.team, job.requester, rank)
    session.add_all(
        Step(
            job_id=job.id,
            backend=backend,
            turn_id=turn_id,
            asked_at=job.created_at,
            attempt=job.attempt,
            level=level,
            ordinal=ordinal,
            kind=step.kind,
            messages=step.messages,
            tokens_in=step.tokens_in,
            max_tokens=step.max_tokens,
            temperature=step.temperature,
            items=step.items,
            pictures=step.pictures,
            state=StepState.HELD if job.held else StepState.WAITING,
            created_at=now,
            not_before=now,
        )
        for ordinal, step in enumerate(steps)
    )


def confirm(
    session: Session, job_id: str, attempt: int, now: datetime, patience: timedelta, rank: Rank = NORMAL
) -> Job | None:
    """Let a held job's steps stand in line, once however often it is asked; None when they do, or it has ended."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or not job.held or job.attempt != attempt or job.state not in OPEN:
        return None
    job.held = False
    job.left_from = job.left_to = None
    # What it takes begins now; the time that its person took to answer is not the line's.
    job.deadline = now + patience
    held = (Step.job_id == job_id) & (Step.state == StepState.HELD)
    for backend in sorted(session.scalars(select(Step.backend).where(held).distinct())):
        turn_id = turns.join(session, backend, job.team, job.requester, rank)
        session.execute(
            update(Step)
            .where(held, Step.backend == backend)
            .values(state=StepState.WAITING, turn_id=turn_id, not_before=now)
        )
    events.record(session, job.id, "confirmed", now)
    posts.refresh_card(session, job.id)
    return job


def retry(session: Session, job_id: str, attempt: int, now: datetime, patience: timedelta) -> Job | None:
    """Begin the attempt after `attempt`, once however often it is pressed; None when it has begun already."""
    job = session.get(Job, job_id, with_for_update=True, populate_existing=True)
    if job is None or job.attempt != attempt or job.state is not JobState.FAILED:
        return None
    # A call of the last attempt that is still open keeps its row, and with it its slot, until it is closed (I5).
    session.execute(delete(Step).where(Step.job_id == job_id, Step.state != StepState.RUNNING))
    job.attempt += 1
    job.state = JobState.RECEIVED
    job.claims = 0
    job.fence += 1
    job.lease_until = job.started_at = job.ended_at = None
    job.error, job.error_params = None, {}
    job.originals = None
    job.result, job.plan, job.held = None, None, False
    job.understood = None
    job.created_at = now
    job.deadline = now + patience
    events.record(session, job.id, "retried", now, attempt=job.attempt)
    posts.refresh_card(session, job.id)
    return job


def delete_older(session: Session, before: datetime, most: int = 500) -> int:
    """Forget jobs that ended before `before`, with all that hangs from them; returns how many.

    One that somebody holds is left for the next time.
    """
    old = select(Job.id).where(Job.state.in_(ENDED), Job.ended_at < before).limit(most)
    gone = session.scalars(old.with_for_update(skip_locked=True)).all()
    session.execute(delete(Job).where(Job.id.in_(gone)).execution_options(synchronize_session=False))
    return len(gone)
