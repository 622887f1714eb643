"""Tells operators that nothing sweeps. The sweep sees all other causes, but not that it is gone itself."""

import threading
import time
from datetime import datetime, timedelta

import structlog

from db import alerts as rows
from db import backends, session
from db.alerts import Seen
from tasks import alerts
from tasks.app import SWEEP_WITHIN
from tasks.deliver import alert
from tasks.resources import Resources

log = structlog.get_logger()

# More often than the sweep takes the alert to be over without it (tasks.alerts.STATES).
EVERY = timedelta(seconds=20)


def watch(resources: Resources) -> None:
    """Look from time to time, beside the tasks of this process: without `beat` or a broker none of them is called."""
    begun = resources.clock()

    def work() -> None:
        while not resources.stopping.is_set():
            time.sleep(EVERY.total_seconds())
            try:
                look(resources, begun)
            except Exception as error:  # noqa: BLE001  # A door: the next look may find the database again.
                log.warning("silence.unseen", error=type(error).__name__)

    threading.Thread(target=work, name="silence", daemon=True).start()


def look(resources: Resources, begun: datetime) -> None:
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
    alert.tell(resources)
