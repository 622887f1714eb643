"""The line in front of a model server: who stands in it, and whose turn it is.

Rows are locked in the order lane, backend, job, step, turn, post, so that no two transactions wait for each other: of
several backends by name, of several jobs by id, and the posts of several jobs in that order too, each job's card first;
of several turns as `turns.lock` has it. Waiting steps of many jobs are taken as far as nobody holds them.
"""

import hashlib
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, false, or_, select, true, update
from sqlalchemy.orm import Session

from db import backends, calls, events, posts, turns
from db.models import Backend, Job, Moment, Step, Turn, table
from db.session import changed
from db.states import JobState, StepState
from db.turns import Rank

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
# people wrote may be long, and is not read.
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
    # A recipe that owners made, as its job has it.
    own_recipe: dict[str, Any] | None = None


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
        if not changed(session, _JOB_RUNS, {"job": step.job_id}):
            # The job ended between our look at the line and now; its end rings for the next.
            return None
    elif step.state is not JobState.RUNNING:
        return None
    cost = step.tokens_in * backend.input_weight
    taken = {"now": now, "lease_until": now + lease, "in_flight_now": chosen.in_flight + 1, "cost": cost}
    # Without a lock on a job that runs already: if it ends just now, its end takes the step first, or stops it.
    if not changed(session, _TAKE, {"step": step.id, **taken}):
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
        own_recipe=step.own_recipe,
    )


def callable_steps(session: Session, now: datetime) -> dict[str, int]:
    """For each backend, how many steps could be claimed right now: what the sweep rings for."""
    counts = {}
    for backend in session.scalars(
        select(Backend).where(
            Backend.paused_at.is_(None), or_(Backend.not_before.is_(None), Backend.not_before <= now)
        )
    ):
        most = backends.most_in_flight(backend.limit, backend.trouble, backend.failures)
        free = most - calls.in_flight(session, backend.name, now)
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
    own: bool = False,
    sees: bool = False,
) -> int:
    """Let waiting steps of a backend stand in line for another, if they belong to `recipes` (None: to any) or, with
    `own`, to one that owners made, fit its context of `most_tokens`, and show no pictures or it sees; returns how many.
    `adopt` then gives them their turns there.
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
        theirs = Job.recipe.in_(recipes) & Job.own_recipe.is_(None)
        theirs |= Job.own_recipe.is_not(None) if own else false()
        fits &= exists().where(Job.id == Step.job_id, theirs)
    # Those that somebody holds are just being ended; what still waits then, the next sweep moves.
    free = select(Step.id).where(fits).correlate(None).with_for_update(skip_locked=True)
    moved = update(Step).where(Step.id.in_(free)).values(backend=to, turn_id=None, not_before=now)
    moved = moved.returning(Step.id)
    return len(session.execute(moved).all())


def adopt(session: Session, rank: Callable[[str, str | None], Rank], most: int = 500) -> set[str]:
    """Put waiting steps without a turn in line: moved ones, and those of code before turns; their backends.

    `rank(requester, channel)` is the rank of a request. The turns are locked in the order of `turns.lock`.
    """
    lost = (
        select(Step.id, Step.backend, Job.team, Job.requester, Job.channel, Job.created_at)
        .join(Job, Job.id == Step.job_id)
        .where(Step.state == StepState.WAITING, Step.turn_id.is_(None))
        .order_by(Step.backend, Job.team, Job.requester, Step.id)
        .limit(most)
    )
    adopted = set()
    for (backend, team, requester), theirs in itertools.groupby(
        session.execute(lost).all(), lambda step: (step.backend, step.team, step.requester)
    ):
        ranked = [(rank(requester, step.channel), step) for step in theirs]
        for its_rank, step in sorted(ranked, key=lambda one: one[0].priority):
            turn_id = turns.join(session, backend, team, requester, its_rank)
            still = (Step.id == step.id) & Step.turn_id.is_(None) & (Step.state == StepState.WAITING)
            session.execute(update(Step).where(still).values(turn_id=turn_id, asked_at=step.created_at))
        adopted.add(backend)
    return adopted
