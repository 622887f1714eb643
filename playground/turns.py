"""Who shares a backend's line: whose calls run and whose come next, and how many tokens each person was served.

Like `playground.line` it reads by column names alone. Every statement goes by an index and reads a bounded number
of rows, since the page asks once a second however long the line is.
"""

import heapq
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

Tables = Mapping[str, sa.TableClause]

MOST_PEOPLE = 50
MOST_NEXT = 24
MOST_COUNTED = 10_000
MOST_DONE = 1000
# So long must nobody have waited or been served for the count of tokens to begin anew.
PAUSE = timedelta(seconds=10)
# Answers still to be written are taken to be as long as the latest ones were (as in db.places).
_LATEST = 40
_STEP = ("turn_id", "asked_at", "created_at", "tokens_in", "tokens_out", "charged")


def look(connection: sa.Connection, tables: Tables, backend: Mapping[str, Any]) -> dict[str, Any]:
    """What a backend's line looks like now.

    `running` and `next` are people, a call each: in the order in which calls began, and in fair order, as far as
    MOST_NEXT. `people` have their numbers since `since`, when the line was last empty, from at most the latest
    MOST_DONE calls. MOST_PEOPLE of them are told, those who wait before the others; `waiting` stops at MOST_COUNTED.
    """
    steps, turns, name = tables["steps"], tables["turns"], backend["name"]
    in_line = _in_line(connection, steps, turns, name)
    # The next calls belong to as many of the first turns at most.
    ahead = {turn.id: _first_waiting(connection, steps, turn.id) for turn in in_line[:MOST_NEXT]}
    running = _running(connection, steps, name)
    latest = _latest(connection, steps, name)
    open_since = [_asked(step) for some in (running, *ahead.values()) for step in some]
    since, done = _since_empty(latest, min(open_since, default=None))
    known = {turn.id: turn for turn in in_line}
    known |= _turns(connection, turns, {step.turn_id for step in (*running, *done)} - known.keys())
    tokens_out = statistics.fmean([step.tokens_out for step in latest[:_LATEST]] or [0])
    order = _fair_order(in_line, ahead, backend, tokens_out)
    return {
        "in_flight": len(running),
        "waiting": _waiting(connection, steps, turns, name),
        "running": [known[step.turn_id].requester for step in running if step.turn_id in known],
        "next": [turn.requester for turn in order],
        "since": since and since.isoformat(),
        "people": _people(name, list(known.values())[:MOST_PEOPLE], running, done),
    }


def _in_line(connection: sa.Connection, steps: sa.TableClause, turns: sa.TableClause, name: str) -> list[Any]:
    """The turns with work waiting, the least served first, and how many calls they have waiting."""
    some = (
        sa.select(steps.c.id)
        .where(steps.c.turn_id == turns.c.id, in_state(steps, "waiting"))
        .limit(MOST_COUNTED)
        .correlate(turns)
        .subquery()
    )
    waiting = sa.select(sa.func.count()).select_from(some).scalar_subquery().label("waiting")
    query = (
        sa.select(*_of_turn(turns), waiting)
        .where(turns.c.backend == name, turns.c.in_line == sa.true())
        .order_by(turns.c.priority, turns.c.service)
        .limit(MOST_PEOPLE)
    )
    return list(connection.execute(query))


def _turns(connection: sa.Connection, turns: sa.TableClause, ids: Iterable[int | None]) -> dict[int, Any]:
    query = sa.select(*_of_turn(turns), sa.literal(0).label("waiting")).where(turns.c.id.in_(list(ids)))
    return {turn.id: turn for turn in connection.execute(query)}


def _of_turn(turns: sa.TableClause) -> list[Any]:
    return [turns.c[name] for name in ("id", "requester", "priority", "weight", "service")]


def _first_waiting(connection: sa.Connection, steps: sa.TableClause, turn_id: int) -> Sequence[Any]:
    """A turn's waiting calls, as many as could be shown, oldest first."""
    query = (
        sa.select(steps.c.asked_at, steps.c.created_at, steps.c.tokens_in)
        .where(steps.c.turn_id == turn_id, in_state(steps, "waiting"))
        .order_by(steps.c.asked_at, steps.c.id)
        .limit(MOST_NEXT)
    )
    return connection.execute(query).all()


def _running(connection: sa.Connection, steps: sa.TableClause, name: str) -> list[Any]:
    query = sa.select(*_of_step(steps), steps.c.started_at).where(
        steps.c.backend == name, in_state(steps, "running")
    )
    return sorted(connection.execute(query), key=lambda step: (str(step.started_at), step.turn_id or 0))


def _latest(connection: sa.Connection, steps: sa.TableClause, name: str) -> Sequence[Any]:
    """The calls that were answered last, the latest first."""
    query = (
        sa.select(*_of_step(steps), steps.c.ended_at)
        .where(steps.c.backend == name, in_state(steps, "done"))
        .order_by(steps.c.ended_at.desc())
        .limit(MOST_DONE)
    )
    return connection.execute(query).all()


def _of_step(steps: sa.TableClause) -> list[Any]:
    return [steps.c[name] for name in _STEP]


def _waiting(connection: sa.Connection, steps: sa.TableClause, turns: sa.TableClause, name: str) -> int:
    """Calls that wait at a backend, those without a turn (db.line.adopt) among them."""
    waiting = sa.select(steps.c.id).where(in_state(steps, "waiting")).limit(MOST_COUNTED)
    in_turns = waiting.join(turns, turns.c.id == steps.c.turn_id).where(
        turns.c.backend == name, turns.c.in_line == sa.true()
    )
    without = waiting.where(steps.c.turn_id.is_(None), steps.c.backend == name)
    return sum(
        connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
        for some in (in_turns, without)
    )


def _since_empty(latest: Sequence[Any], since: datetime | None) -> tuple[datetime | None, list[Any]]:
    """Walk back from now, call by call, to the last moment when nobody had asked for anything."""
    done = []
    for step in latest:
        ended = _moment(step.ended_at or step.created_at)
        if since is not None and ended < since - PAUSE:
            break
        since = min(since or ended, _asked(step))
        done.append(step)
    return since, done


def _fair_order(
    in_line: Sequence[Any],
    ahead: Mapping[int, Sequence[Any]],
    backend: Mapping[str, Any],
    tokens_out: float,
) -> list[Any]:
    """The turns whose calls come next, a turn as often as it comes: the line played forward as in db.places."""
    read, written = backend.get("input_weight") or 1.0, backend.get("output_weight") or 2.0
    ready = [(turn.priority, turn.service, turn.id, turn, 0) for turn in in_line if ahead.get(turn.id)]
    heapq.heapify(ready)
    order: list[Any] = []
    while ready and len(order) < MOST_NEXT:
        priority, service, turn_id, turn, at = heapq.heappop(ready)
        order.append(turn)
        cost = ahead[turn_id][at].tokens_in * read + tokens_out * written
        if at + 1 < len(ahead[turn_id]):
            heapq.heappush(ready, (priority, service + cost / turn.weight, turn_id, turn, at + 1))
    return order


def _people(
    name: str, turns: Iterable[Any], running: Sequence[Any], done: Sequence[Any]
) -> list[dict[str, Any]]:
    tokens: Counter[int] = Counter()
    charged: defaultdict[int, float] = defaultdict(float)
    for step in (*running, *done):
        tokens[step.turn_id] += step.tokens_in + step.tokens_out
        charged[step.turn_id] += step.charged
    runs, ended = (Counter(step.turn_id for step in some) for some in (running, done))
    people = [
        {
            "backend": name,
            "user": turn.requester,
            "priority": turn.priority,
            "weight": turn.weight,
            "tokens": tokens[turn.id],
            "waiting": turn.waiting,
            "running": runs[turn.id],
            "done": ended[turn.id],
            "service": turn.service,
            "began_at": turn.service - charged[turn.id] / turn.weight,
        }
        for turn in turns
    ]
    return sorted(people, key=lambda one: (one["user"], one["priority"]))


def in_state(table: sa.TableClause, state: str) -> sa.ColumnElement[bool]:
    """A state as it stands in the SQL itself: only then does either database see that a partial index fits."""
    return table.c.state == sa.literal_column(f"'{state}'")


def _asked(step: Any) -> datetime:
    return _moment(step.asked_at or step.created_at)


def _moment(value: datetime | str) -> datetime:
    """SQLite gives text, and neither gives a zone there."""
    read = datetime.fromisoformat(value) if isinstance(value, str) else value
    return read if read.tzinfo else read.replace(tzinfo=UTC)
