"""The memory of a learned limit: what happened at a backend goes in, its row's limit comes out."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from db import backends, calls, line, session
from db.models import Backend
from tasks.infer import gauges
from tasks.infer.limit import Kind, Limit, Seen, looked
from tasks.infer.limit import refused as cut
from tasks.linefile import Server
from tasks.resources import Resources

log = structlog.get_logger()

# A hosted API would see requests for gauges that it does not have every second.
ASK_AGAIN = timedelta(minutes=5)

# The troubles that say that there were too many calls.
_KINDS: Mapping[str, Kind] = {"busy": "busy", "out_of_memory": "out_of_memory"}


def look(resources: Resources, server: Server) -> None:
    """Once a second: let the limit learn from the calls that ended since the last look, and from the gauges."""
    now = resources.clock()
    with session.reading(resources.engine) as reading:
        backend = reading.get(Backend, server.name)
        if backend is None or backend.learned is None:
            return
        seen_at = Limit.from_json(backend.learned).seen_at
        answered = calls.answered_since(reading, server.name, datetime.fromtimestamp(seen_at, UTC))
        waiting = line.is_due(reading, server.name, now)
        in_flight = calls.in_flight(reading, server.name, now)
    if not (answered or waiting or in_flight):
        return
    seen = Seen(
        now=now.timestamp(),
        in_flight=in_flight,
        waiting=waiting,
        calls=answered,
        gauges=_gauges(resources, server, now),
    )
    with session.transaction(resources.engine) as transaction:
        state, backend = _locked(transaction, server.name)
        # Another sweep may have looked meanwhile: what it saw is not to be counted twice.
        if state is not None and state.seen_at == seen_at:
            _keep(backend, looked(state, seen))


def refused(transaction: Session, name: str, trouble: str, claimed_at: datetime, now: datetime) -> bool:
    """A call was refused for want of room; lowers a learned limit at once. False: the limit is not learned."""
    state, backend = _locked(transaction, name)
    if state is None:
        return False
    kind = _KINDS.get(trouble)
    if kind is not None:
        in_flight = calls.in_flight(transaction, name, now)
        _keep(backend, cut(state, kind, in_flight, claimed_at.timestamp(), now.timestamp()))
    return True


def _gauges(resources: Resources, server: Server, now: datetime) -> gauges.Gauges | None:
    """What the server says of itself; one that says nothing is not asked again for a while."""
    if resources.without_gauges.get(server.name, now) > now:
        return None
    found = gauges.read(resources.http, server.url, server.api_key)
    if found is None:
        resources.without_gauges[server.name] = now + ASK_AGAIN
    return found


def _locked(transaction: Session, name: str) -> tuple[Limit | None, Backend]:
    backend = transaction.get_one(Backend, name, with_for_update=backends.LOCK)
    return (None if backend.learned is None else Limit.from_json(backend.learned)), backend


def _keep(backend: Backend, state: Limit) -> None:
    if state.level != backend.limit:
        log.info("limit.learned", backend=backend.name, limit=state.level, before=backend.limit)
    backend.limit, backend.learned = state.level, state.as_json()
