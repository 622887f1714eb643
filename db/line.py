"""The line in front of a model server: claims, leases, fences, and the limit on calls in flight.

Rows are locked in the order backend, job, step, turn, post, so that no two transactions wait for each other.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session, aliased

from db import backends, events, jobs, posts, turns
from db.models import Backend, Job, Moment, Step, Turn, table
from db.states import JobState, StepState
from db.turns import Rank

# A quiet house would otherwise write, and on SQLite sync its disk, with every sweep.
_MARK_EVERY = timedelta(seconds=5)
REPAIR = "repair"
"""The kind of a step that asks for an answer once more, because the first broke its form."""

WHOLE = ("single", "reduce", "passages")
"""The kinds of steps whose answer is the job's when they are alone at their level, and no part of it."""

_NOW = bindparam("now", type_=Moment())
# What could be claimed, whoever comes first.
_CLAIMABLE = (
    select(Step.id)
    .join(Turn, Turn.id == Step.turn_id)
    .where(
        Turn.backend == bindparam("backend"),
        Turn.in_line == true(),
        Step.state == StepState.WAITING,
        Step.not_before <= _NOW,
    )
)
_DUE = (
    _CLAIMABLE.join(Backend, Backend.name == Turn.backend)
    .where(Backend.paused_at.is_(None), Backend.not_before.is_(None) | (Backend.not_before <= _NOW))
    .limit(1)
)
# Built once, and rows instead of objects: claims and answers are what the line's speed hangs on. The text that
# people wrote may be long, and neither reads it.
_steps, _jobs = table(Step), table(Job)
_BACKEND = (
    select(
        Backend.limit,
        Backend.not_before,
        Backend.paused_at,
        Backend.trouble,
        Backend.failures,
        Backend.passed_over,
        Backend.input_weight,
        Backend.output_weight,
    )
    .where(Backend.name == bindparam("backend"))
    .with_for_update(key_share=True)  # backends.LOCK
)
_TAKE = (
    update(_steps)
    .where(_steps.c.id == bindparam("step"), _steps.c.state == StepState.WAITING)
    .values(
        state=StepState.RUNNING,
        fence=_steps.c.fence + 1,
        claims=_steps.c.claims + 1,
        started_at=_NOW,
        lease_until=bindparam("lease_until", type_=Moment()),
        in_flight=bindparam("in_flight_now"),
        charged=bindparam("cost"),
    )
)
_JOB_RUNS = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("job"), _jobs.c.state == JobState.WAITING)
    .values(state=JobState.RUNNING, ahead=None, left_from=None, left_to=None)
)
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
class Claimed:
    """A step whose turn it is, and the fence that proves that it is ours (I6)."""

    step_id: int
    job_id: str
    turn_id: int
    # Who asked, as operators of the model server may see it: the same for the same person, and no name.
    person: str
    fence: int
    attempts: int
    recipe: str
    question: str | None
    kind: str
    items: int
    messages: list[dict[str, str]]
    pictures: list[dict[str, Any]]
    max_tokens: int
    temperature: float
    tokens_in: int
    in_flight: int
    claimed_at: datetime
    input_weight: float
    output_weight: float
    # Where the job speaks: to be rung when its card or its outcome is due.
    lanes: Sequence[str]
    backend_was_troubled: bool


@dataclass(frozen=True)
class Answered:
    """A call that was answered: its tokens, how long it took, and how many ran when it began, itself included."""

    tokens_in: int
    tokens_out: int
    seconds: float
    in_flight: int


@dataclass(frozen=True)
class LevelDone:
    """The last step of a level has been answered: what the whole level said, in order, and of how many items each."""

    job: Job
    level: int
    answers: Sequence[str]
    items: Sequence[int]
    truncated: bool


def is_due(session: Session, backend_name: str, now: datetime) -> bool:
    """Whether a claim is worth its lock: many bells find the line empty, or the backend paused."""
    return session.scalar(_DUE, {"backend": backend_name, "now": now}) is not None


def claim(session: Session, backend_name: str, now: datetime, lease: timedelta) -> Claimed | None:
    """Take the step whose turn it is (I8), if the backend has a free slot (I5).

    The lock is a statement of its own: under READ COMMITTED a statement that waits for a lock goes on with
    its old snapshot, and would pick a step that somebody took in the meantime.
    """
    backend = session.execute(_BACKEND, {"backend": backend_name}).one_or_none()
    if backend is None or backend.paused_at is not None:
        return None
    if backend.not_before is not None and backend.not_before > now:
        return None
    most = backends.most_in_flight(backend.limit, backend.trouble, backend.failures)
    chosen = turns.choose(session, backend_name, most, backend.passed_over, now)
    if chosen is None:
        return None
    step = chosen.step
    if step.state is JobState.WAITING:
        if not _changed(session, _JOB_RUNS, {"job": step.job_id}):
            # The job ended between our look at the line and now; its end rings for the next.
            return None
    elif step.state is not JobState.RUNNING:
        return None
    cost = step.tokens_in * backend.input_weight
    taken = {"now": now, "lease_until": now + lease, "in_flight_now": chosen.in_flight + 1, "cost": cost}
    # Without a lock on a job that runs already: if it ends just now, its end takes the step first, or stops it.
    if not _changed(session, _TAKE, {"step": step.id, **taken}):
        return None
    turns.serve(session, chosen.turn_id, cost, has_more=chosen.has_more)
    if step.state is JobState.WAITING:
        events.record(session, step.job_id, "running", now)
        posts.refresh_card(session, step.job_id)
    return Claimed(
        step_id=step.id,
        job_id=step.job_id,
        turn_id=chosen.turn_id,
        person=hashlib.sha256(f"{step.team}/{step.requester}".encode()).hexdigest()[:16],
        fence=step.fence + 1,
        attempts=step.attempts,
        recipe=step.recipe,
        question=step.question,
        kind=step.kind,
        items=step.items,
        messages=step.messages,
        pictures=step.pictures or [],
        max_tokens=step.max_tokens,
        temperature=step.temperature,
        tokens_in=step.tokens_in,
        in_flight=chosen.in_flight + 1,
        claimed_at=now,
        input_weight=backend.input_weight,
        output_weight=backend.output_weight,
        lanes=posts.lanes_to(step.channel, step.callback_url),
        backend_was_troubled=backend.failures > 0,
    )


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
    if not _changed(session, _ANSWER, {**ours, "now": now, **said}):
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
    the jobs, before any turn, in which the calls of one person meet.
    """
    freed = set()
    last_one_is_out: bool | None = None
    for backend in session.scalars(
        select(Backend).order_by(Backend.name).with_for_update(key_share=True)
    ).all():
        if backend.swept_at is None or now - backend.swept_at >= _MARK_EVERY:
            backend.swept_at = now
        dead = select(Step).where(
            Step.backend == backend.name, Step.state == StepState.RUNNING, Step.lease_until <= now
        )
        of = select(Job).where(Job.id.in_(dead.with_only_columns(Step.job_id)))
        jobs_of = {job.id: job for job in session.scalars(of.order_by(Job.id).with_for_update())}
        # In the order of `adopt`, and as they stand now that nobody else can change them.
        ordered = dead.join(Job).where(Job.id.in_(jobs_of)).order_by(Job.team, Job.requester, Step.id)
        for step in session.scalars(ordered.execution_options(populate_existing=True)).all():
            job = jobs_of[step.job_id]
            if step.claims == most_claims - 1 and _wanted(job, step):
                if last_one_is_out is None:
                    last_one_is_out = _last_claim_is_out(session, now, most_claims)
                if last_one_is_out:
                    continue
                last_one_is_out = True
            _free(session, job, step, now, most_claims)
            freed.add(backend.name)
    return sorted(freed)


def callable_steps(session: Session, now: datetime) -> dict[str, int]:
    """For each backend, how many steps could be claimed right now: what the sweep rings for."""
    counts = {}
    for backend in session.scalars(
        select(Backend).where(
            Backend.paused_at.is_(None), or_(Backend.not_before.is_(None), Backend.not_before <= now)
        )
    ):
        most = backends.most_in_flight(backend.limit, backend.trouble, backend.failures)
        free = most - in_flight(session, backend.name, now)
        if free > 0:
            some = session.scalars(_CLAIMABLE.limit(free), {"backend": backend.name, "now": now})
            counts[backend.name] = len(some.all())
    return {name: count for name, count in counts.items() if count}


def move(
    session: Session,
    backend: str,
    to: str,
    recipes: Collection[str] | None,
    most_tokens: int,
    now: datetime,
    *,
    sees: bool = False,
) -> int:
    """Let waiting steps of a backend stand in line for another, if they belong to `recipes` (None: to any), fit its
    context of `most_tokens`, and show no pictures or it sees; returns how many. `adopt` then gives them their turns there.
    """
    session.get(Backend, backend, with_for_update=backends.LOCK)
    in_line = select(Turn.id).where(Turn.backend == backend, Turn.in_line == true())
    fits = (
        Step.turn_id.in_(in_line)
        & (Step.state == StepState.WAITING)
        & (Step.tokens_in + Step.max_tokens <= most_tokens)
    )
    if not sees:
        fits &= Step.pictures.is_(None)
    if recipes is not None:
        fits &= exists().where(Job.id == Step.job_id, Job.recipe.in_(recipes))
    moved = update(Step).where(fits).values(backend=to, turn_id=None, not_before=now).returning(Step.id)
    return len(session.execute(moved).all())


def adopt(session: Session, rank: Callable[[str, str | None], Rank], most: int = 500) -> set[str]:
    """Put waiting steps without a turn in line: moved ones, and those of code before turns; their backends.

    `rank(requester, channel)` is the rank of a request.
    """
    lost = (
        select(Step.id, Step.backend, Job.team, Job.requester, Job.channel, Job.created_at)
        .join(Job, Job.id == Step.job_id)
        .where(Step.state == StepState.WAITING, Step.turn_id.is_(None))
        .order_by(Step.backend, Job.team, Job.requester, Step.id)
        .limit(most)
    )
    adopted = set()
    for step_id, backend, team, requester, channel, asked_at in session.execute(lost).all():
        turn_id = turns.join(session, backend, team, requester, rank(requester, channel))
        still = (Step.id == step_id) & Step.turn_id.is_(None) & (Step.state == StepState.WAITING)
        session.execute(update(Step).where(still).values(turn_id=turn_id, asked_at=asked_at))
        adopted.add(backend)
    return adopted


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
    here = (
        (Step.job_id == job.id)
        & (Step.attempt == job.attempt)
        & Step.state.in_((StepState.WAITING, StepState.RUNNING))
    )
    troubled = select(Backend.trouble).join(Step, Step.backend == Backend.name).where(here)
    return session.scalar(troubled.where(Backend.trouble.is_not(None)).order_by(Backend.name).limit(1))


def paused(session: Session, job: Job) -> str | None:
    """What the owners say of the paused backend that a job's calls wait for; None: it waits for none."""
    waits = (Step.job_id == job.id) & (Step.attempt == job.attempt) & (Step.state == StepState.WAITING)
    held = select(func.coalesce(Backend.paused_words, "")).join(Step, Step.backend == Backend.name)
    return session.scalar(held.where(waits, Backend.paused_at.is_not(None)).limit(1))


def _free(session: Session, job: Job, step: Step, now: datetime, most_claims: int) -> None:
    step.lease_until = None
    step.fence += 1
    if not _wanted(job, step):
        step.state, step.ended_at = StepState.CANCELLED, now
    elif step.claims >= most_claims:
        step.state, step.ended_at = StepState.CANCELLED, now
        jobs.fail(session, job, "bug", {}, now, cause="worker_killed")
    else:
        step.state = StepState.WAITING
        turns.put_back(session, step)
        session.flush()
        events.record(session, job.id, "lease lost", now, step=step.id)
        _back_to_waiting(session, job)


def _last_claim_is_out(session: Session, now: datetime, most_claims: int) -> bool:
    """Whether a step waits for its last claim, or runs under it."""
    waits = (Step.state == StepState.WAITING) & (Step.claims == most_claims - 1)
    runs = (Step.state == StepState.RUNNING) & (Step.claims >= most_claims) & (Step.lease_until > now)
    return bool(session.scalar(select(exists().where(or_(waits, runs)))))


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


def _changed(session: Session, statement: Update, values: dict[str, Any]) -> bool:
    """Whether an UPDATE of one row found it as its condition says."""
    result = session.execute(statement, values)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _cost(claimed: Claimed, tokens_in: int, tokens_out: int) -> float:
    return tokens_in * claimed.input_weight + tokens_out * claimed.output_weight


def in_flight(session: Session, backend: str, now: datetime) -> int:
    """Calls at a backend whose lease is alive: as many as may be open at the server."""
    live = (Step.backend == backend) & (Step.state == StepState.RUNNING) & (Step.lease_until > now)
    return session.scalar(select(func.count()).select_from(Step).where(live)) or 0


def _held(claimed: Claimed) -> ColumnElement[bool]:
    return (Step.id == claimed.step_id) & (Step.fence == claimed.fence) & (Step.state == StepState.RUNNING)
