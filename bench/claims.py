"""Claims per second, and what a claim costs with 1,000 and with 1,000,000 steps waiting.

Processes claim a step and record its answer at once, as fast as they can: no model, no broker, the line alone.
"""

import concurrent.futures
import multiprocessing
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bench import backlog, product
from bench.numbers import percentile
from bench.say import Say
from db import leases, line, session
from tests import services

WAITING, QUICK_WAITING = (1_000, 1_000_000), (1_000, 20_000)
PROCESSES, QUICK_PROCESSES = (1, 2, 4, 8), (1, 2)
# Claims of one round, by all processes together: half of what waits at the least; then it is filled up again.
ROUND = 480
ROUNDS, QUICK_ROUNDS = 6, 2
LEASE = timedelta(seconds=30)


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Claims per second for each database, backlog and number of processes."""
    cases = []
    for database in product.databases():
        for waiting in QUICK_WAITING if quick else WAITING:
            with services.folder("claims") as folder, product.database(database, folder) as url:
                begun = time.monotonic()
                backlog.fill(url, waiting)
                say(f"{database}: {waiting:,} steps waiting, after {time.monotonic() - begun:.0f} s")
                for processes in QUICK_PROCESSES if quick else PROCESSES:
                    case = _case(url, waiting, processes, QUICK_ROUNDS if quick else ROUNDS)
                    say(
                        f"  {processes} processes: {case['per_second']:.0f} a second, "
                        f"a claim p50 {case['claim_p50'] * 1000:.2f} ms, p99 {case['claim_p99'] * 1000:.1f} ms"
                    )
                    cases.append({"database": database, "waiting": waiting, **case})
    return {"round": ROUND, "people": backlog.PEOPLE, "cases": cases}


def _case(url: str, waiting: int, processes: int, rounds: int) -> dict[str, Any]:
    rates, claims = [], []
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, context, _connect, (url,)) as pool:
        # One that does not count: connections, and plans that are prepared at first use.
        for counts in (False, *[True] * rounds):
            backlog.fill(url, waiting)
            found = list(pool.map(_work, [ROUND // processes] * processes))
            if counts:
                begin, end = min(one[0] for one in found), max(one[1] for one in found)
                rates.append(sum(len(one[2]) for one in found) / (end - begin))
                claims += [seconds for one in found for seconds in one[2]]
    return {
        "processes": processes,
        "per_second": round(percentile(rates, 50), 1),
        "rounds": [round(rate, 1) for rate in rates],
        "claim_p50": round(percentile(claims, 50), 6),
        "claim_p99": round(percentile(claims, 99), 6),
    }


_engines: list[sa.Engine] = []


def _connect(url: str) -> None:
    _engines.append(session.connect(url, pool_size=1))


def _work(count: int) -> tuple[float, float, list[float]]:
    """(begin, end, seconds of each claim) of `count` claims, each answered at once."""
    begun = time.time()
    taken = list(_claims(_engines[0], count))
    return begun, time.time(), taken


def _claims(engine: sa.Engine, count: int) -> Iterator[float]:
    for _ in range(count):
        begun = time.perf_counter()
        with session.transaction(engine) as transaction:
            claimed = line.claim(transaction, backlog.BACKEND, datetime.now(UTC), LEASE)
        taken = time.perf_counter() - begun
        if claimed is None:
            raise RuntimeError("nothing was waiting, or a claim found no slot")
        with session.transaction(engine) as transaction:
            leases.finish(transaction, claimed, "answer", 100, 50, truncated=False, now=datetime.now(UTC))
        yield taken
