"""Whose turn it is at a backend: the Virtual Token Counter (VTC; Sheng et al., "Fairness in Serving Large
Language Models", OSDI 2024).

Each person with work in line has a counter of the service they got: tokens read and written, times what they
cost, divided by the person's weight. The lowest counter is next. Whoever comes back after a pause is lifted to
the lowest counter of those in line, so that nobody saves up credit while they are away.

Priorities are strict: 0 goes before 1, and 1 before 2. But a priority that was passed over for AGEING, with
work waiting all the while, gets the next slot.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, case, exists, func, select, true, update
from sqlalchemy.orm import Session, aliased

from db.models import Backend, Job, Moment, Step, Turn, table
from db.session import add_if_missing
from db.states import StepState

AGEING = timedelta(minutes=1)


@dataclass(frozen=True)
class Rank:
    """A person's standing: with weight 2 they get twice the tokens of weight 1; priority 0 is served first."""

    weight: float = 1.0
    priority: int = 1


@dataclass(frozen=True)
class Next:
    """Whose turn is next, and their oldest step that is due, with its job: what a claim needs of both."""

    turn_id: int
    has_more: bool
    in_flight: int
    step: Row[Any]


# Built once: every claim asks them, and building one takes longer than running it.
_NOW = bindparam("now", type_=Moment())
_WAITING = (Step.turn_id == Turn.id) & (Step.state == StepState.WAITING)
_DUE = _WAITING & (Step.not_before <= _NOW)
_OLDEST = select(Step.id).where(_DUE).order_by(Step.asked_at, Step.id).limit(1).scalar_subquery()
_SECOND = select(Step.id).where(_WAITING).offset(1).limit(1).scalar_subquery()
_LIVE = (
    select(func.count())
    .select_from(Step)
    .where(Step.backend == bindparam("backend"), Step.state == StepState.RUNNING, Step.lease_until > _NOW)
    .scalar_subquery()
)
_other = aliased(Turn)
_LOWEST = (
    select(func.max(_other.priority))
    .where(_other.backend == bindparam("backend"), _other.in_line == true())
    .scalar_subquery()
)
_TURN = (
    select(
        Turn.id.label("turn_id"),
        Turn.priority,
        _OLDEST.label("step_id"),
        _SECOND.label("second"),
        _LIVE.label("in_flight"),
        _LOWEST.label("lowest"),
    )
    .where(Turn.backend == bindparam("backend"), Turn.in_line == true(), exists(select(1).where(_DUE)))
    .where(Turn.priority >= bindparam("priority"))
    .order_by(Turn.priority, Turn.service, Turn.id)
    .limit(1)
    .subquery()
)
# One statement for all that a claim reads; the text that people wrote may be long, and it does not read that.
_FIRST = (
    select(
        _TURN,
        Step.id,
        Step.job_id,
        Step.fence,
        Step.attempts,
        Step.kind,
        Step.items,
        Step.messages,
        Step.pictures,
        Step.max_tokens,
        Step.temperature,
        Step.tokens_in,
        Job.state,
        Job.recipe,
        Job.own_recipe,
        Job.question,
        Job.team,
        Job.requester,
        Job.channel,
        Job.callback_url,
    )
    .join(Step, Step.id == _TURN.c.step_id)
    .join(Job, Job.id == Step.job_id)
)


_turns = table(Turn)
_CHARGE = (
    update(_turns)
    .where(_turns.c.id == bindparam("turn"))
    .values(service=_turns.c.service + bindparam("cost", type_=_turns.c.service.type) / _turns.c.weight)
)


def join(session: Session, backend: str, team: str, requester: str, rank: Rank) -> int:
    """Give a person a place in line, or keep the one they have; returns the turn's id.

    The turn stays locked until the steps that come with it are committed, so that no claim meanwhile takes it
    for empty.
    """
    query = select(Turn).filter_by(backend=backend, team=team, requester=requester, priority=rank.priority)
    query = query.with_for_update()
    turn = session.scalar(query)
    if turn is None:
        new = Turn(
            backend=backend, team=team, requester=requester, priority=rank.priority, weight=rank.weight
        )
        add_if_missing(session, new)
        turn = session.scalars(query.execution_options(populate_existing=True)).one()
    turn.weight = rank.weight
    _enter(session, turn)
    session.flush()
    return turn.id


def choose(
    session: Session, backend: str, most_in_flight: int, passed_over: Mapping[str, str], now: datetime
) -> Next | None:
    """The turn and the step that come next at a backend, whose lock the caller holds.

    None: nothing is due, or no slot is free.
    """
    first = _first(session, backend, now, 0)
    if first is None:
        return None
    if first.in_flight >= most_in_flight:
        # Without a slot to give nobody is passed over, and nobody gets the slot that a minute's wait is worth.
        return None
    chosen = first
    if first.lowest > first.priority or passed_over:
        chosen = _aged(session, backend, now, first, passed_over) or first
    return Next(chosen.turn_id, chosen.second is not None, chosen.in_flight, chosen)


def lock(session: Session, turn_ids: Collection[int]) -> None:
    """Lock several turns in the order in which `line.adopt` joins them: by backend, person and priority."""
    order = (Turn.backend, Turn.team, Turn.requester, Turn.priority)
    session.execute(select(Turn.id).where(Turn.id.in_(turn_ids)).order_by(*order).with_for_update())


def serve(session: Session, turn_id: int, cost: float, *, has_more: bool) -> None:
    """Charge a turn for a step that begins; without another one waiting it leaves the line."""
    if not has_more:
        # The lock first, and the look in a statement of its own: somebody may just be adding steps.
        session.execute(select(Turn.id).where(Turn.id == turn_id).with_for_update())
        waits = exists().where(Step.turn_id == turn_id, Step.state == StepState.WAITING)
        if not session.scalar(select(waits)):
            session.execute(update(Turn).where(Turn.id == turn_id).values(in_line=False))
    charge(session, turn_id, cost)


def charge(session: Session, turn_id: int | None, cost: float) -> None:
    """Add to what a turn has been served; less than nothing takes back what was charged too much."""
    if turn_id is not None and cost:
        session.execute(_CHARGE, {"turn": turn_id, "cost": cost})


def put_back(session: Session, step: Step) -> None:
    """A step that was not answered stands in its old place again, and its person is charged nothing for it.

    Whoever had nothing else waiting comes back to the line like anybody: a long call that failed in the end is
    worth its own tokens, and not all that others were served meanwhile.
    """
    if step.turn_id is not None:
        fresh = select(Turn).where(Turn.id == step.turn_id).with_for_update()
        turn = session.scalars(fresh.execution_options(populate_existing=True)).one()
        _enter(session, turn, but=step.id)
        turn.service -= step.charged / turn.weight
    step.charged = 0.0
    session.flush()


def tidy(session: Session) -> None:
    """Take those out of the line whose waiting steps were all cancelled; claims pass them over anyway."""
    some = exists().where(_WAITING)
    empty = (
        select(Turn.id)
        .where(Turn.in_line == true(), ~some)
        .order_by(Turn.id)
        .with_for_update(skip_locked=True)
    )
    found = list(session.scalars(empty))
    if found:
        # Look again now that they are locked: steps may have come with a commit in between.
        session.execute(
            update(Turn)
            .where(Turn.id.in_(found))
            .values(in_line=case((some, True), else_=False))
            .execution_options(synchronize_session=False)
        )


def _first(session: Session, backend: str, now: datetime, priority: int) -> Row[Any] | None:
    values = {"backend": backend, "now": now, "priority": priority}
    return session.execute(_FIRST, values).first()


def _aged(
    session: Session, backend: str, now: datetime, served: Row[Any], before: Mapping[str, str]
) -> Row[Any] | None:
    """The turn of the priority that has been passed over for too long, if there is one; notes who is passed."""
    passed: dict[str, str] = {}
    aged = None
    priority = served.priority + 1
    while priority <= served.lowest:
        waiting = _first(session, backend, now, priority)
        if waiting is None:
            break
        priority = waiting.priority
        since = before.get(str(priority), now.isoformat())
        if aged is None and now - datetime.fromisoformat(since) >= AGEING:
            aged = waiting
        else:
            passed[str(priority)] = since
        priority += 1
    if passed != before:
        session.execute(update(Backend).where(Backend.name == backend).values(passed_over=passed))
    return aged


def _enter(session: Session, turn: Turn, but: int | None = None) -> None:
    """Put a turn in line; if it had nothing waiting there, but for that one step, it starts level.

    A turn may still stand in line for steps that were cancelled: that saves up no credit either.
    """
    others = exists().where(Step.turn_id == turn.id, Step.state == StepState.WAITING, Step.id != (but or 0))
    if not turn.in_line or not session.scalar(select(others)):
        turn.service = max(turn.service, _level(session, turn))
        turn.in_line = True


def _level(session: Session, turn: Turn) -> float:
    """Where newcomers start: level with the least served in line, or with who was served most if none is."""
    same = (Turn.backend == turn.backend) & (Turn.priority == turn.priority) & (Turn.id != turn.id)
    waiting = same & (Turn.in_line == true()) & exists().where(_WAITING)
    level = session.scalar(select(Turn.service).where(waiting).order_by(Turn.service).limit(1))
    if level is None:
        level = session.scalar(select(func.max(Turn.service)).where(same))
    return level or 0.0
