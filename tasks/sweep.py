"""Once a second: ring for whatever is due and unclaimed, free dead leases, end overdue jobs, forget old ones."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from db import alerts as told
from db import backends, jobs, leases, line, outcomes, places, posts, preparing, session, turns
from db.models import Backend
from db.turns import Rank
from tasks import alerts, rules
from tasks.app import DELIVER, INFER, PREPARE, SWEEP_EVERY
from tasks.infer import learn
from tasks.resources import Resources

log = structlog.get_logger()

# A bell is heard within milliseconds; what is still unclaimed after this has lost its bell.
UNHEARD = timedelta(seconds=2 * SWEEP_EVERY)

# A job that killed or froze its worker this often is not tried again.
MOST_CLAIMS = 3


def sweep(resources: Resources, *, asked: bool = True) -> None:
    """Make every lost message a delay. Two sweeps at once are harmless: each change is conditional.

    `asked`: beat did, and a broker brought it; such a sweep leaves its time (tasks.silence). In one process there is
    one at a time: where a lock is waited for, all its threads would soon wait in sweeps.
    """
    if not resources.sweeping.acquire(blocking=False):
        return
    try:
        _sweep(resources, asked)
    finally:
        resources.sweeping.release()


def _sweep(resources: Resources, asked: bool) -> None:
    now = resources.clock()
    # A transaction each: whoever holds a job must not ask for a backend, which is locked first (db.line).
    with session.transaction(resources.engine) as transaction:
        overdue = outcomes.end_overdue(transaction, now)
    with session.transaction(resources.engine) as transaction:
        hopeless = preparing.end_hopeless(transaction, MOST_CLAIMS, now)
    with session.transaction(resources.engine) as transaction:
        freed = leases.free_dead(transaction, now, MOST_CLAIMS)
        if asked:
            backends.mark_swept(transaction, now)
    log.debug("sweep.freed", backends=freed, asked=asked)
    with session.transaction(resources.engine) as transaction:
        forgotten = jobs.delete_older(transaction, now - resources.settings.retention)
        told.delete_older(transaction, now - resources.settings.retention)
    _keep_line(resources, now)
    alerts.look(resources, asked=asked)
    _ring(resources, now)
    if overdue or hopeless or freed or forgotten:
        log.info("swept", overdue=len(overdue), hopeless=len(hopeless), freed=freed, forgotten=forgotten)


def _keep_line(resources: Resources, now: datetime) -> None:
    """Let every step wait where it can be served, limits learn, and cards say where their jobs stand."""
    fair = resources.line
    with session.reading(resources.engine) as reading:
        known = {backend.name: backend for backend in backends.every(reading)}
    for backend in known.values():
        _send_elsewhere(resources, backend, known, now)
    with session.transaction(resources.engine) as transaction:

        def rank(requester: str, channel: str | None) -> Rank:
            return rules.read(transaction, "", requester, channel).rank(fair.rank(requester))

        line.adopt(transaction, rank)
        turns.tidy(transaction)
    for server in fair.servers:
        learn.look(resources, server)
        with session.reading(resources.engine) as reading:
            moved = places.changed(reading, server.name, now)
        if moved:
            with session.transaction(resources.engine) as transaction:
                places.write(transaction, moved)


def _send_elsewhere(
    resources: Resources, backend: Backend, known: Mapping[str, Backend], now: datetime
) -> None:
    """Steps wait at the first backend that serves their recipe and is not out: at a fallback while it must be.

    Each move is a transaction: whoever holds steps must not ask for a backend either.
    """
    fair, wanted = resources.line, defaultdict(list)
    for recipe in resources.recipes.names():
        serving = [server for server in fair.serving(recipe) if server.name in known]
        healthy = [server for server in serving if not backends.is_out(known[server.name])]
        if healthy and healthy[0].name != backend.name:
            wanted[healthy[0].name].append(recipe)
    for name, recipes in wanted.items():
        server = fair.server(name)
        if server is None:
            continue
        # What owners made goes where the default recipe goes (Resources.serving).
        own = resources.recipes.default.name in recipes
        with session.transaction(resources.engine) as transaction:
            moved = line.move(
                transaction, backend.name, name, recipes, server.context, now, own=own, sees=server.vision
            )
        if moved:
            log.warning("line.moved", backend=backend.name, to=name, steps=moved)


def _ring(resources: Resources, now: datetime) -> None:
    """Ring where it is silent: bells that wait already lead to the same work, and more would jam the queue."""
    bell = resources.bell
    with session.reading(resources.engine) as reading:
        unclaimed = preparing.unclaimed(reading, now - UNHEARD, now)
        callable_steps = line.callable_steps(reading, now)
        lanes = posts.due_lanes(reading, now) + [alerts.LANE] * told.is_due(reading, now)
    if unclaimed and bell.is_silent(PREPARE):
        for job_id in unclaimed:
            bell.ring_prepare(job_id)
    if callable_steps and bell.is_silent(INFER):
        for backend, steps in callable_steps.items():
            bell.ring_infer(backend, steps)
    if lanes and bell.is_silent(DELIVER):
        for lane in lanes:
            bell.ring_deliver(lane)
