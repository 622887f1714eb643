"""Once a second: ring for whatever is due and unclaimed, free dead leases, end overdue jobs, forget old ones."""

from datetime import datetime, timedelta

import structlog

from db import jobs, line, posts, session
from tasks.app import DELIVER, INFER, PREPARE, SWEEP_EVERY
from tasks.resources import Resources

log = structlog.get_logger()

# A bell is heard within milliseconds; what is still unclaimed after this has lost its bell.
UNHEARD = timedelta(seconds=2 * SWEEP_EVERY)

# A job that killed or froze its worker this often is not tried again.
MOST_CLAIMS = 3


def sweep(resources: Resources) -> None:
    """Make every lost message a delay. Two sweeps at once are harmless: each change is conditional."""
    now = resources.clock()
    # A transaction each: whoever holds a job must not ask for a backend, which is locked first (db.line).
    with session.transaction(resources.engine) as transaction:
        overdue = jobs.end_overdue(transaction, now)
    with session.transaction(resources.engine) as transaction:
        hopeless = jobs.end_hopeless(transaction, MOST_CLAIMS, now)
    with session.transaction(resources.engine) as transaction:
        freed = line.free_dead(transaction, now, MOST_CLAIMS)
    with session.transaction(resources.engine) as transaction:
        forgotten = jobs.delete_older(transaction, now - resources.settings.retention)
    _ring(resources, now)
    if overdue or hopeless or freed or forgotten:
        log.info("swept", overdue=len(overdue), hopeless=len(hopeless), freed=freed, forgotten=forgotten)


def _ring(resources: Resources, now: datetime) -> None:
    """Ring where it is silent: bells that wait already lead to the same work, and more would jam the queue."""
    bell = resources.bell
    with session.reading(resources.engine) as reading:
        unclaimed = jobs.unclaimed(reading, now - UNHEARD, now)
        callable_steps = line.callable_steps(reading, now)
        lanes = posts.due_lanes(reading, now)
    if unclaimed and bell.is_silent(PREPARE):
        for job_id in unclaimed:
            bell.ring_prepare(job_id)
    if callable_steps and bell.is_silent(INFER):
        for backend, steps in callable_steps.items():
            bell.ring_infer(backend, steps)
    if lanes and bell.is_silent(DELIVER):
        for lane in lanes:
            bell.ring_deliver(lane)
