"""Jobs: from the acknowledged request to its outcome."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased, defer

from db import events, incidents, posts, turns, uploads
from db.models import Job, Post, Step
from db.session import add_if_missing
from db.states import ENDED, OPEN, JobState, Origin, PostKind, PostState, StepState
from db.turns import Rank

# Base 32 without the letters that people mistake for digits (Crockford); 12 of them are 60 random bits.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id() -> str:
    """An id that is also the reference people quote to operators."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


NORMAL = Rank()

# Nothing of these has been sent to a model.
_NOT_BEGUN = (JobState.RECEIVED, JobState.PREPARING, JobState.WAITING)

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
    opened = session.scalars(select(Job).where(mine, Job.state.in_(OPEN)).order_by(Job.id)).all()
    cancelled = [job for job in opened if cancel(session, job.id, now)]
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
    fail(session, job, error, params, now)
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
    overdue = list(session.scalars(rows))
    for job in overdue:
        waited: dict[str, Any] = {"minutes": round((now - job.created_at).total_seconds() / 60, 1)}
        if job.held:
            fail(session, job, "not_confirmed", {**waited, "calls": (job.plan or {}).get("calls", 0)}, now)
        else:
            fail(session, job, "deadline", waited, now)
    return [job.id for job in overdue]


def end_hopeless(session: Session, most_claims: int, now: datetime, most: int = 100) -> list[str]:
    """Fail jobs whose preparing killed or froze its worker `most_claims` times; returns the ids."""
    rows = (
        select(Job)
        .where(Job.state == JobState.PREPARING, Job.lease_until < now, Job.claims >= most_claims)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    hopeless = list(session.scalars(rows))
    for job in hopeless:
        fail(session, job, "bug", {}, now, cause="worker_killed")
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


def delete_older(session: Session, before: datetime, most: int = 500) -> int:
    """Forget jobs that ended before `before`, with all that hangs from them; returns how many."""
    old = select(Job.id).where(Job.state.in_(ENDED), Job.ended_at < before).limit(most)
    gone = session.execute(delete(Job).where(Job.id.in_(old)).returning(Job.id))
    return len(gone.all())


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


def _held(session: Session, job_id: str, fence: int) -> Job | None:
    held = select(Job).where(Job.id == job_id, Job.fence == fence, Job.state == JobState.PREPARING)
    return session.scalar(held.with_for_update())
