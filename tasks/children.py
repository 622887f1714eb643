"""The processes of `prepare`'s pool: a deploy's signal reaches them too, and what they die of is noticed."""

import os
import signal
from datetime import timedelta
from types import FrameType
from typing import Any, NoReturn

import billiard
import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from db import preparing, session
from tasks import stopping
from tasks.resources import Resources

log = structlog.get_logger()

# For the pool's parent, which meanwhile does nothing else.
PATIENCE = timedelta(seconds=2)


def watch(resources: Resources) -> None:
    """Let the pool's processes end between two jobs, and let nobody wait for the lease of one that died."""

    def died(exception: BaseException, args: tuple[str, ...], **_: Any) -> None:
        if isinstance(exception, WorkerLostError | TimeLimitExceeded):
            _release(resources, *args)

    def begun(**_: Any) -> None:
        _heed()
        if session.has_one_writer(resources.engine):
            resources.deadman.start()

    signals.worker_process_init.connect(begun, weak=False)
    signals.task_failure.connect(died, weak=False)


def give_grace() -> None:
    """End the pool's processes when what they work on has had its time: reading files may take minutes."""
    # A timer of the system's, since this is called from a signal's handler: a thread's takes locks.
    signal.signal(signal.SIGALRM, lambda *_: hurry())
    signal.setitimer(signal.ITIMER_REAL, stopping.GRACE.total_seconds())


def hurry() -> None:
    """End the pool's processes at once; what they work on is given back (tasks.prepare.stage)."""
    for child in billiard.active_children():
        os.kill(child.pid, signal.SIGUSR2)


def _heed() -> None:
    # Platforms and honcho send SIGTERM to a whole process group. The pool's own answer would be to drop the job in
    # the middle; its parent heard the same signal, and tells us when there is nothing more to do.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Not SIGUSR1, which the pool takes for its soft time limit.
    signal.signal(signal.SIGUSR2, _leave)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Giving back is not to be interrupted by whoever is told twice.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    raise SystemExit(0)


def _release(resources: Resources, job_id: str) -> None:
    """Its process is dead, so its lease ends now; should somebody else hold it by now, the fence protects both."""
    # An engine for this once: processes made later by fork must find no open connection.
    engine = session.connect(resources.settings.database_url, pool_size=1, patience=PATIENCE)
    try:
        with session.transaction(engine) as transaction:
            preparing.release(transaction, job_id, resources.clock())
    except SQLAlchemyError as error:
        log.warning("job.unreleased", job_id=job_id, error=type(error).__name__)
    else:
        log.error("prepare.died", job_id=job_id)
    finally:
        engine.dispose()
