"""Sweeps where nobody asks for it, and tells operators so: they see all other causes by the sweep, and not that one."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from db import alerts as rows
from db import backends, session
from db.alerts import Seen
from tasks import alerts
from tasks.app import SWEEP_EVERY, SWEEP_WITHIN
from tasks.resources import Resources

log = structlog.get_logger()

# A sweep that was asked for leaves its time to within backends.MARK_EVERY; one later than this does not come.
SILENCE = backends.MARK_EVERY + timedelta(seconds=SWEEP_EVERY)

# More often than the sweep takes the alert to be over without it (tasks.alerts.STATES).
EVERY = timedelta(seconds=20)


def watch(resources: Resources, sweep: Callable[[], None], tell: Callable[[], None] | None = None) -> None:
    """Look from time to time, beside the tasks of this process: without `beat` or a broker none of them is called.

    With `tell`, which tells operators what is to be told, they hear of it too.
    """
    # A thread each: a sweep may wait for the database.
    _repeat(resources, "sweep", timedelta(seconds=SWEEP_EVERY), lambda: stand_in(resources, sweep))
    if tell is not None:
        begun = resources.clock()
        _repeat(resources, "silence", EVERY, lambda: look(resources, begun, tell))


def stand_in(resources: Resources, sweep: Callable[[], None]) -> None:
    """Sweep, if nobody did for SILENCE and nobody else takes the turn: then what is dead is freed, whichever worker
    lives. Whoever freezes in its turn holds the others up for as long once more.
    """
    with session.reading(resources.engine) as reading:
        if not backends.is_unswept(reading, resources.clock() - SILENCE):
            return
    with session.transaction(resources.engine) as transaction:
        now = resources.clock()
        ours = backends.take_sweep(transaction, now - SILENCE, now)
    if ours:
        sweep()


def look(resources: Resources, begun: datetime, tell: Callable[[], None]) -> None:
    """Open the alert, or say that it goes on, if there was no sweep for a minute since `begun`; and tell it at once.

    The sweep ends it, when it is back.
    """
    now = resources.clock()
    with session.reading(resources.engine) as reading:
        swept = backends.last_swept(reading)
    since = max(begun, swept or begun)
    if now - since <= SWEEP_WITHIN:
        return
    seen = Seen("no_sweep", "", 1, adds=False, since=since, at=now)
    with session.transaction(resources.engine) as transaction:
        opened = rows.note(transaction, seen, alerts.ways(resources))
    if opened is not None:
        log.error("alert.opened", cause=seen.cause)
    tell()


def _repeat(resources: Resources, name: str, every: timedelta, act: Callable[[], None]) -> None:
    def work() -> None:
        while not resources.stopping.is_set():
            time.sleep(every.total_seconds())
            try:
                act()
            except Exception as error:  # noqa: BLE001  # A door: the next time may find the database again.
                log.warning("silence.unseen", thread=name, error=type(error).__name__)

    threading.Thread(target=work, name=name, daemon=True).start()
