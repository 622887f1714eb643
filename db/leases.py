"""Leases: a claimed step is kept, ended with an answer, given back to the line, or freed from the dead.

Rows are locked in the order that db.line tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, null, select, text, update
from sqlalchemy.orm import Session, aliased

from db import events, outcomes, posts, turns
from db.line import Claimed
from db.models import Backend, Job, Moment, Step, table
from db.session import changed
from db.states import JobState, StepState

REPAIR = "repair"
"""The kind of a step that asks for an answer once more, because the first broke its form."""

_NOW = bindparam("now", type_=Moment())

# Built once, and rows instead of objects, as in db.line.
_steps = table(Step)
_HELD = (
    select(Step.attempt, Step.level, Step.charged, Job.state, Job.attempt.label("wanted"))
    .join(Job, Job.id == Step.job_id)
    .where(Step.id == bindparam("step"), Step.fence == bindparam("held"), Step.state == StepState.RUNNING)
    .with_for_update(of=Job)
)
_OURS = (
    (_steps.c.id == bindparam("step"))
    & (_steps.c.fence == bindparam("held"))
    & (_steps.c.state == StepState.RUNNING)
)
_ANSWER = (
    update(_steps)
    .where(_OURS)
    .values(
        state=StepState.DONE,
        lease_until=None,
        ended_at=_NOW,
        answer=bindparam("said"),
        truncated=bindparam("cut"),
        tokens_in=bindparam("read"),
        tokens_out=bindparam("written"),
        charged=bindparam("cost"),
        # Nobody asks for them again, and they are large.
        pictures=null(),
    )
)
_DROP = update(_steps).where(_OURS).values(state=StepState.CANCELLED, lease_until=None, ended_at=_NOW)
_sibling = aliased(Step)


def _of_level(kind: Any) -> ColumnElement[bool]:
    place = (kind.job_id, kind.attempt, kind.level)
    return and_(*(column == bindparam(f"this_{column.key}") for column in place))


# The answers are read once all are there, and not with each of them.
_SOME_OPEN = exists().where(_of_level(_sibling), _sibling.state != StepState.DONE)
_LEVEL = (
    select(Step.state, Step.truncated, Step.items, case((_SOME_OPEN, ""), else_=Step.answer).label("answer"))
    .where(_of_level(Step))
    .order_by(Step.ordinal)
)

_STILL_WANTED = exists().where(
    Job.id == Step.job_id, Job.state == JobState.RUNNING, Job.attempt == Step.attempt
)


@dataclass(frozen=True)
class LevelDone:
    """The last step of a level has been answered: what the whole level said, in order, and of how many items each."""

    job: Job
    level: int
    answers: Sequence[str]
    items: Sequence[int]
    truncated: bool


def renew(
    session: Session, claimed: Claimed, partial: str, tokens_out: int, now: datetime, lease: timedelta
) -> bool:
    """Keep the lease and store progress. False: the step is no longer ours, or its job was ended; stop.

    A lease that ran out is not renewed: its slot may have gone to another call already (I5).
    """
    charged = session.scalar(
        select(Step.charged)
        .where(_held(claimed), Step.lease_until > now, _STILL_WANTED)
        .with_for_update(of=Step)
    )
    if charged is None:
        return False
    cost = max(charged, _cost(claimed, claimed.tokens_in, tokens_out))
    session.execute(
        update(Step)
        .where(Step.id == claimed.step_id)
        .values(lease_until=now + lease, answer=partial, tokens_out=tokens_out, charged=cost)
    )
    turns.charge(session, claimed.turn_id, cost - charged)
    return True


def is_wanted(session: Session, claimed: Claimed) -> bool:
    """Whether a claim still stands and its job still wants the answer; takes no lock."""
    return session.scalar(select(Step.id).where(_held(claimed), _STILL_WANTED)) is not None


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
    ours = {"step": claimed.step_id, "held": claimed.fence}
    step = session.execute(_HELD, ours).one_or_none()
    if step is None:
        return None
    if step.state is not JobState.RUNNING or step.attempt != step.wanted:
        # Nobody wants it any more; what was charged for it so far stays charged.
        session.execute(_DROP, {**ours, "now": now})
        return None
    cost = _cost(claimed, tokens_in, tokens_out)
    said = {"said": answer, "cut": truncated, "read": tokens_in, "written": tokens_out, "cost": cost}
    # While we waited for the job, the sweep may have taken the step from us.
    if not changed(session, _ANSWER, {**ours, "now": now, **said}):
        return None
    turns.charge(session, claimed.turn_id, cost - step.charged)
    level = {"this_job_id": claimed.job_id, "this_attempt": step.attempt, "this_level": step.level}
    answers = session.execute(_LEVEL, level).all()
    if any(one.state is not StepState.DONE for one in answers):
        posts.refresh_card(session, claimed.job_id)
        return None
    return LevelDone(
        session.get_one(Job, claimed.job_id),
        step.level,
        [one.answer for one in answers],
        [one.items for one in answers],
        any(one.truncated for one in answers),
    )


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
    turns.put_back(session, step)
    session.flush()
    _back_to_waiting(session, job)
    return True


def ask_again(
    session: Session,
    claimed: Claimed,
    messages: list[dict[str, str]],
    tokens_in: int,
    written: int,
    now: datetime,
) -> bool:
    """Put a step whose answer cannot be used back in its place, to be asked with other messages, as `repair`.
    False: it was no longer ours. What the answer cost stays charged.
    """
    job = session.get_one(Job, claimed.job_id, with_for_update=True)
    step = session.scalar(select(Step).where(_held(claimed)))
    if step is None:
        return False
    step.lease_until = None
    if not _wanted(job, step):
        step.state, step.ended_at = StepState.CANCELLED, now
        return True
    turns.charge(session, step.turn_id, _cost(claimed, claimed.tokens_in, written) - step.charged)
    step.charged = 0.0
    step.kind, step.messages, step.tokens_in = REPAIR, messages, tokens_in
    step.state, step.not_before = StepState.WAITING, now
    step.claims = step.attempts = 0
    step.answer, step.tokens_out = "", 0
    turns.put_back(session, step)
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

    A worker makes many calls at once, and all of them die with it. So a step on its last claim goes back when no
    other one is out: whoever only stood beside the one that kills is never beside it again.

    Returns the backends that have work again. The backends are locked first: two sweeps then take turns. Then all
    the jobs, all the steps, for a heartbeat may still come, and all the turns, in which the calls of one person meet.
    """
    session.execute(select(Backend.name).order_by(Backend.name).with_for_update(key_share=True))
    dead = select(Step).where(Step.state == StepState.RUNNING, Step.lease_until <= now)
    of = select(Job).where(Job.id.in_(dead.with_only_columns(Step.job_id)))
    jobs_of = {job.id: job for job in session.scalars(of.order_by(Job.id).with_for_update())}
    theirs = dead.where(Step.job_id.in_(jobs_of)).order_by(Step.id).with_for_update()
    steps = session.scalars(theirs.execution_options(populate_existing=True)).all()
    turns.lock(session, [step.turn_id for step in steps if step.turn_id is not None])
    freed = set()
    last_one_is_out: bool | None = None
    for step in steps:
        job = jobs_of[step.job_id]
        if step.claims == most_claims - 1 and _wanted(job, step):
            if last_one_is_out is None:
                last_one_is_out = _last_claim_is_out(session, now, most_claims)
            if last_one_is_out:
                continue
            last_one_is_out = True
        _free(session, job, step, now, most_claims)
        freed.add(step.backend)
    return sorted(freed)


def _free(session: Session, job: Job, step: Step, now: datetime, most_claims: int) -> None:
    step.lease_until = None
    step.fence += 1
    if not _wanted(job, step):
        step.state, step.ended_at = StepState.CANCELLED, now
    elif step.claims >= most_claims:
        step.state, step.ended_at = StepState.CANCELLED, now
        outcomes.fail(session, job, "bug", {}, now, cause="worker_killed")
    else:
        step.state = StepState.WAITING
        turns.put_back(session, step)
        session.flush()
        events.record(session, job.id, "lease lost", now, step=step.id)
        _back_to_waiting(session, job)


def _last_claim_is_out(session: Session, now: datetime, most_claims: int) -> bool:
    """Whether a step waits for its last claim, or runs under it."""
    runs = (Step.state == StepState.RUNNING) & (Step.claims >= most_claims) & (Step.lease_until > now)
    # As the index of steps that died has it, which is short.
    waits = (Step.state == StepState.WAITING) & text("claims > 0") & (Step.claims == most_claims - 1)
    return any(session.scalar(select(exists().where(one))) for one in (runs, waits))


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


def _cost(claimed: Claimed, tokens_in: int, tokens_out: int) -> float:
    return tokens_in * claimed.input_weight + tokens_out * claimed.output_weight


def _held(claimed: Claimed) -> ColumnElement[bool]:
    return (Step.id == claimed.step_id) & (Step.fence == claimed.fence) & (Step.state == StepState.RUNNING)
