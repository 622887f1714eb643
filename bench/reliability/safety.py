"""What the safety costs: claims without fences and leases, and claims beside the heartbeats of running calls."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bench import backlog, claims, product
from bench.numbers import percentile
from bench.say import Say
from db import leases, line, session
from db.line import Claimed
from db.models import Job, Step, table
from db.states import StepState
from tasks.infer.hold import HEARTBEAT, LOOK
from tests import services

WAITING = 2_000
PAIRS, QUICK_PAIRS = 400, 100
ROUNDS, QUICK_ROUNDS = 7, 3
# Calls that run meanwhile, each with its looks and renewals.
RUNNING = 64


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Claimed and answered a second by one process for each database: with the safety, without, and beside calls."""
    pairs, rounds = (QUICK_PAIRS, QUICK_ROUNDS) if quick else (PAIRS, ROUNDS)
    cases = []
    for database in product.databases():
        with services.folder("safety") as folder, product.database(database, folder) as url:
            backlog.fill(url, WAITING)
            engine = session.connect(url, pool_size=4)
            try:
                case = {
                    "database": database,
                    **_case(url, engine, pairs, rounds),
                    **_heartbeats(engine, pairs),
                }
            finally:
                engine.dispose()
        say(
            f"  {database}: "
            + ", ".join(f"{key} {value}" for key, value in case.items() if key != "database")
        )
        cases.append(case)
    return {"pairs": pairs, "rounds": rounds, "running": RUNNING, "cases": cases}


def _case(url: str, engine: sa.Engine, pairs: int, rounds: int) -> dict[str, Any]:
    """Rounds of each kind in turns, so that the machine's moods meet all alike."""
    kinds: dict[str, Callable[[], Any]] = {
        "with": lambda: _nothing(),
        "without": _without_fences,
        "beside": lambda: _beating(engine),
    }
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    waits: dict[str, list[float]] = {kind: [] for kind in kinds}
    for counts in (False, *[True] * rounds):
        for kind, setting in kinds.items():
            backlog.fill(url, WAITING)
            with setting():
                begun = time.perf_counter()
                taken = list(claims._claims(engine, pairs))  # noqa: SLF001  # The same loop as bench.claims measures.
                rate = pairs / (time.perf_counter() - begun)
            if counts:
                rates[kind].append(rate)
                waits[kind] += taken
    return {
        **{f"{kind}_per_second": round(percentile(found, 50)) for kind, found in rates.items()},
        **{f"{kind}_claim_p50": round(percentile(found, 50), 6) for kind, found in waits.items()},
        **{f"{kind}_claim_p99": round(percentile(found, 99), 6) for kind, found in waits.items()},
    }


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _without_fences() -> Iterator[None]:
    """The product's own statements, less the fence, the lease and the count of claims, written or looked at."""
    steps = table(Step)
    here = steps.c.id == sa.bindparam("step")
    kept = line._TAKE, leases._HELD, leases._ANSWER, leases._OURS  # noqa: SLF001 (measured without its fences)
    taken = {"state": StepState.RUNNING, "started_at": sa.bindparam("now", type_=steps.c.started_at.type)}
    line._TAKE = sa.update(steps).where(here).values(**taken)  # noqa: SLF001 (measured without its fences)
    held = sa.select(Step.attempt, Step.level, Step.charged, Job.state, Job.attempt.label("wanted"))
    leases._HELD = (  # noqa: SLF001 (measured without its fences)
        held.join(Job, Job.id == Step.job_id).where(Step.id == sa.bindparam("step")).with_for_update(of=Job)
    )
    answered = {
        "state": StepState.DONE,
        "ended_at": sa.bindparam("now", type_=steps.c.ended_at.type),
        "answer": sa.bindparam("said"),
        "tokens_in": sa.bindparam("read"),
        "tokens_out": sa.bindparam("written"),
        "charged": sa.bindparam("cost"),
    }
    leases._ANSWER = sa.update(steps).where(here).values(**answered)  # noqa: SLF001 (measured without its fences)
    try:
        yield
    finally:
        line._TAKE, leases._HELD, leases._ANSWER, leases._OURS = kept  # noqa: SLF001 (measured without its fences)


@contextmanager
def _beating(engine: sa.Engine) -> Iterator[None]:
    """RUNNING calls beside, with their looks and renewals at the product's pace, from a thread."""
    running = [_claim(engine) for _ in range(RUNNING)]
    over = threading.Event()

    def beat() -> None:
        number = 0
        looks = int(HEARTBEAT / LOOK)
        while not over.wait(LOOK.total_seconds() / RUNNING):
            one = running[number % RUNNING]
            # Each call in turn looks, and at every tenth look renews.
            (_renew if (number // RUNNING) % looks == number % looks else _look)(engine, one)
            number += 1

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for one in running:
            _answer(engine, one)


def _heartbeats(engine: sa.Engine, count: int) -> dict[str, float]:
    """What one look and one renewal take."""
    one = _claim(engine)
    found = {}
    for name, act in (("look", _look), ("renew", _renew)):
        taken = []
        for _ in range(count):
            begun = time.perf_counter()
            act(engine, one)
            taken.append(time.perf_counter() - begun)
        found[f"{name}_p50"] = round(percentile(taken, 50), 6)
    _answer(engine, one)
    return found


def _claim(engine: sa.Engine) -> Claimed:
    with session.transaction(engine) as transaction:
        claimed = line.claim(transaction, backlog.BACKEND, datetime.now(UTC), timedelta(minutes=10))
    assert claimed is not None
    return claimed


def _look(engine: sa.Engine, claimed: Claimed) -> None:
    with session.reading(engine) as reading:
        assert leases.is_wanted(reading, claimed)


def _renew(engine: sa.Engine, claimed: Claimed) -> None:
    with session.transaction(engine) as transaction:
        assert leases.renew(
            transaction, claimed, "so far " * 50, 50, datetime.now(UTC), timedelta(minutes=10)
        )


def _answer(engine: sa.Engine, claimed: Claimed) -> None:
    with session.transaction(engine) as transaction:
        leases.finish(transaction, claimed, "answer", 100, 50, truncated=False, now=datetime.now(UTC))
