"""Where each job stands: how many calls come before it in fair order, and about how long it will take.

The order is found by playing the line forward: the turn with the lowest counter takes its oldest step and is
charged for it, as claims will do (db.turns), with answers as long as the latest ones were. The time comes from
how long the latest calls took and how many run at once. Both are rounded, the coarser the further away, so that
a card changes when there is something to say and not every second.
"""

import heapq
import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, exists, select, true, tuple_, update
from sqlalchemy.orm import Session

from db import backends, calls, posts
from db.models import Backend, Job, Step, Turn, table
from db.states import JobState, StepState

# Calls further back than this are not played; their jobs are told no place.
MOST_AHEAD = 1000
# The latest calls that tell how long one takes, at most, and how old they may be.
_LATEST = 40
_LATELY = timedelta(days=1)
# Steps of one turn that are read at once.
_PAGE = 50

# A place is told exactly up to 10, then rounded up to these.
_PLACES = (*range(11), 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, MOST_AHEAD)
# Seconds: what a card can say of the time left. The last is an hour.
_TIMES = (0, 15, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600)


@dataclass(frozen=True)
class Place:
    """Calls ahead, and seconds until the job is done: at least and at most. None: nobody can tell yet."""

    ahead: int | None
    left_from: int | None
    left_to: int | None


NOWHERE = Place(None, None, None)


@dataclass(frozen=True)
class _Waiting:
    job_id: str
    tokens_in: int


def changed(session: Session, backend_name: str, now: datetime) -> dict[str, Place]:
    """The jobs at a backend that no longer stand where their rows say, and where they stand. Changes nothing."""
    backend = session.get(Backend, backend_name)
    if backend is None:
        return {}
    found = of_backend(session, backend, now)
    told = select(Job.id, Job.state, Job.ahead, Job.left_from, Job.left_to).where(_in_line(backend_name))
    moved = {}
    for job_id, state, *place in session.execute(told):
        now_at = found.get(job_id, NOWHERE)
        if state is JobState.RUNNING:
            # Some of its calls run already: nobody is before it any more, and only the time is told.
            now_at = replace(now_at, ahead=None)
        if now_at != Place(*place):
            moved[job_id] = now_at
    return moved


def write(session: Session, places: Mapping[str, Place]) -> None:
    """Note places in their jobs' rows and refresh the cards. A job that somebody holds, or its card, is left for the
    next time: who delivers goes from one card to the next, in another order than we do.

    A job whose last call began since the look has no place any more.
    """
    waits = exists().where(Step.job_id == Job.id, Step.state == StepState.WAITING)
    free = select(Job.id, Job.state).where(Job.id.in_(places), _IS_WAITING, waits).order_by(Job.id)
    found = session.execute(free.with_for_update(skip_locked=True)).all()
    busy = posts.busy_cards(session, [job_id for job_id, _ in found])
    held = [(job_id, state) for job_id, state in found if job_id not in busy]
    if not held:
        return
    written = [
        {"job": job_id, **vars(places[job_id]), **({"ahead": None} if state is JobState.RUNNING else {})}
        for job_id, state in held
    ]
    session.connection().execute(_PLACE, written)
    posts.refresh_cards(session, [job_id for job_id, _ in held])


def estimate(session: Session, job_id: str, backend_name: str, count: int, now: datetime) -> None:
    """Note about how long a held job's calls would take if they began now and alone, as the latest calls tell."""
    backend = session.get_one(Backend, backend_name)
    lasts = _lasts(calls.answered_since(session, backend_name, now - _LATELY, _LATEST))
    place = _place(0, count - 1, lasts, backend.limit, backend.limit)
    values = {"left_from": place.left_from, "left_to": place.left_to}
    session.execute(update(Job).where(Job.id == job_id).values(values))


def of_backend(session: Session, backend: Backend, now: datetime) -> dict[str, Place]:
    """The place of every job that waits at a backend, as far as MOST_AHEAD calls back."""
    latest = calls.answered_since(session, backend.name, now - _LATELY, _LATEST)
    mean_out = statistics.fmean(each.tokens_out for each in latest) if latest else 0.0
    order = list(_play(session, backend, mean_out))
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for ahead, waiting in enumerate(order):
        first.setdefault(waiting.job_id, ahead)
        last[waiting.job_id] = ahead
    free = backends.most_in_flight(backend.limit, backend.trouble, backend.failures) - calls.in_flight(
        session, backend.name, now
    )
    troubled = backend.failures > 0 or backend.paused_at is not None
    lasts = None if troubled else _lasts(latest)
    return {
        job_id: _place(ahead, last[job_id], lasts, backend.limit, free) for job_id, ahead in first.items()
    }


def _lasts(latest: Sequence[calls.Answered]) -> tuple[float, float] | None:
    """How many seconds a call takes, as the latest did, and the spread of that; None: nobody can tell."""
    if not latest:
        return None
    seconds = [each.seconds for each in latest]
    mean = statistics.fmean(seconds)
    return mean, statistics.stdev(seconds) if len(seconds) > 1 else mean / 2


def _place(first: int, last: int, lasts: tuple[float, float] | None, limit: int, free: int) -> Place:
    ahead = _PLACES[bisect_left(_PLACES, first)]
    if lasts is None:
        return Place(ahead, None, None)
    mean, spread = lasts
    # Calls end one after the other, `limit` at a time; the last of ours then takes as long as a call does.
    rounds = max(0, last + 1 - max(free, 0)) / limit
    middle, off = rounds * mean + mean, math.sqrt(rounds * spread**2 / limit + spread**2)
    low, high = max(0.0, min(middle - off, 0.8 * middle)), max(middle + off, 1.2 * middle)
    left_from = _TIMES[bisect_right(_TIMES, low) - 1]
    above = bisect_left(_TIMES, high)
    return Place(ahead, left_from, _TIMES[above] if above < len(_TIMES) else None)


def _play(session: Session, backend: Backend, mean_out: float) -> Iterator[_Waiting]:
    """The waiting calls of a backend in the order in which they will be claimed."""
    in_line = select(Turn).where(Turn.backend == backend.name, Turn.in_line == true())
    ready: list[tuple[int, float, int, float, _Waiting, Iterator[_Waiting]]] = []
    for turn in session.scalars(in_line.order_by(Turn.priority, Turn.service).limit(MOST_AHEAD)):
        steps = _steps(session, turn.id)
        waiting = next(steps, None)
        if waiting is not None:
            heapq.heappush(ready, (turn.priority, turn.service, turn.id, turn.weight, waiting, steps))
    for _ in range(MOST_AHEAD):
        if not ready:
            return
        priority, service, turn_id, weight, waiting, steps = ready[0]
        yield waiting
        cost = waiting.tokens_in * backend.input_weight + mean_out * backend.output_weight
        following = next(steps, None)
        if following is None:
            heapq.heappop(ready)
        else:
            heapq.heapreplace(ready, (priority, service + cost / weight, turn_id, weight, following, steps))


_jobs = table(Job)
_PLACE = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("job"))
    .values({name: bindparam(name) for name in ("ahead", "left_from", "left_to")})
)

_STEPS_OF_TURN = (
    select(Step.asked_at, Step.id, Step.job_id, Step.tokens_in)
    .where(Step.turn_id == bindparam("turn"), Step.state == StepState.WAITING)
    .order_by(Step.asked_at, Step.id)
    .limit(_PAGE)
)


def _steps(session: Session, turn_id: int) -> Iterator[_Waiting]:
    """A turn's waiting steps, oldest first, a page at a time: most are never asked for."""
    page = session.execute(_STEPS_OF_TURN, {"turn": turn_id}).all()
    while page:
        for _, _, job_id, tokens_in in page:
            yield _Waiting(job_id, tokens_in)
        if len(page) < _PAGE:
            return
        after = _STEPS_OF_TURN.where(tuple_(Step.asked_at, Step.id) > (page[-1].asked_at, page[-1].id))
        page = session.execute(after, {"turn": turn_id}).all()


_IS_WAITING = Job.state.in_((JobState.WAITING, JobState.RUNNING))


def _in_line(backend: str) -> ColumnElement[bool]:
    """Jobs with a step that waits at a backend, by its turns: the index of waiting steps begins with them."""
    turns = select(Turn.id).where(Turn.backend == backend, Turn.in_line == true())
    waiting = select(Step.job_id).where(Step.turn_id.in_(turns), Step.state == StepState.WAITING)
    return _IS_WAITING & Job.id.in_(waiting)
