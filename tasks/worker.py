"""A worker of one stage: its tasks, its pool, and what must be right before it starts."""

import gc
import signal
import sys
import time
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from celery import Celery, signals
from sqlalchemy.exc import DBAPIError

from db import backends, session
from tasks import children
from tasks.infer.limit import START
from tasks.linefile import BadLine
from tasks.pipeline import install
from tasks.recipes import RecipeError
from tasks.resources import Resources
from tasks.settings import Settings

log = structlog.get_logger()


# A release that runs beside the workers (`honcho start`), or a database that starts with them, gets this long.
DATABASE_WITHIN = timedelta(seconds=60)

# SQLite has one write lock and no queue for it: after acknowledgements (`web`) come cards, and texts last.
ASKS_EVERY = {"deliver": timedelta(milliseconds=1), "prepare": timedelta(milliseconds=20)}

# For bells that are not sent yet when the worker ends: the calls that it gave back.
FLUSH = timedelta(seconds=2)


def run(celery: Celery, process: str, settings: Settings) -> int:
    """Work until told to stop; 2: a recipe or the line file is wrong, 1: no database."""
    resources = Resources(settings, asks_every=ASKS_EVERY.get(process))
    try:
        # Read here, before any work: a broken recipe stops the start, not somebody's request.
        servers = resources.line.names
        log.info("starting", recipes=resources.recipes.names(), backends=servers)
        _declare(resources)
    except (RecipeError, BadLine) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except DBAPIError as error:
        reason = str(error.orig).strip()
        sys.stderr.write(f"The database cannot be used: {reason}. Did `python -m db upgrade` run?\n")
        return 1
    _end_gently(resources)
    children.watch(resources)
    # The pool's children must open connections of their own.
    resources.engine.dispose()
    queues = install(celery, process, resources)
    # Threads wait for servers; preparing is work for a core, and only processes can be stopped half-way.
    pool = "prefork" if process == "prepare" else "threads"
    # What is loaded by now stays shared between a pool's processes: the collector would copy it by looking at it.
    gc.collect()
    gc.freeze()
    if process != "prepare":
        # Calls and posts are outside, where no fence holds. Of prepare, its pool's processes are watched (children).
        resources.deadman.start()
        _watch(process, resources)
    worker = celery.Worker(
        hostname=f"{process}@%h",
        queues=queues,
        pool=pool,
        concurrency=getattr(settings, f"{process}_concurrency"),
        max_tasks_per_child=500 if pool == "prefork" else None,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    resources.bell.flush(FLUSH)
    return int(worker.exitcode or 0)


def _watch(process: str, resources: Resources) -> None:
    """Not in prepare: a thread that asks the database or the broker, and a pool that forks, do not go together."""
    from tasks import silence  # Not for prepare, as in tasks.pipeline.
    from tasks.sweep import sweep

    tell = None
    if process == "deliver":
        from tasks.deliver import alert

        tell = partial(alert.tell, resources)
    silence.watch(resources, partial(sweep, resources, asked=False), tell)


def _end_gently(resources: Resources) -> None:
    """Let what runs end, or be given back; Celery waits for the tasks, and knows nothing of calls and lanes."""

    def told(**_: Any) -> None:
        resources.stopping.set()
        if resources.stopping.is_over():
            children.hurry()
        else:
            children.give_grace()

    def listen(**_: Any) -> None:
        # Celery's own answer to a second Ctrl+C waits in the signal's handler, and then drops what runs.
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))

    signals.worker_shutting_down.connect(told, weak=False)
    signals.worker_ready.connect(listen, weak=False)


def _declare(resources: Resources) -> None:
    """Write down the backends; waits for a database that is not there yet, or not migrated."""
    fair = resources.line
    declared = [
        backends.Declared(
            server.name,
            server.limit or START,
            server.limit is None,
            fair.input_weight,
            fair.output_weight,
        )
        for server in fair.servers
    ]
    until = time.monotonic() + DATABASE_WITHIN.total_seconds()
    while True:
        try:
            with session.transaction(resources.engine) as transaction:
                backends.declare(transaction, declared)
        except DBAPIError as error:
            if time.monotonic() > until:
                raise
            log.warning("database.awaited", error=type(error.orig).__name__)
            time.sleep(1)
        else:
            return
