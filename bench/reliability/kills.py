"""Stock Celery tasks on Redis under the same kills, with a ledger of what ran."""

import itertools
import pathlib
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from bench.numbers import percentile
from bench.reliability import stock
from bench.say import Say
from tests import services
from tests.chaos.fleet import ROOT, Fleet
from tests.chaos.plan import FULL

TASKS, QUICK_TASKS = 20_000, 2_000
KILLS, QUICK_KILLS = FULL.worker_kills, 5
KILL_EVERY_SECONDS = 1.5
WORKERS = 2
# Nothing came back for so long: nothing will.
QUIET_SECONDS = stock.VISIBLE_AGAIN_SECONDS + 15


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Once with kills of workers alone, and once with one loss of the broker's data as well."""
    tasks, kills = (QUICK_TASKS, QUICK_KILLS) if quick else (TASKS, KILLS)
    cases = [_case(seed, say, tasks, kills, empties=empties) for empties in (0, 1)]
    return {"task_seconds": stock.TASK_SECONDS, "workers": WORKERS, "threads": stock.THREADS, "cases": cases}


def _case(seed: random.Random, say: Say, tasks: int, kills: int, *, empties: int) -> dict[str, Any]:
    with _running() as (broker, ledger, fleet):
        app = stock.make(broker.url)
        for number in range(tasks):
            app.send_task("work", args=[number])
        killed: dict[str, list[float]] = {name: [] for name in fleet.processes}
        for number in range(kills):
            time.sleep(KILL_EVERY_SECONDS * seed.uniform(0.5, 1.5))
            name = seed.choice(sorted(fleet.processes))
            if fleet.kill(name) is not None:
                killed[name].append(time.time())
            if empties and number == kills // 2:
                with redis.Redis.from_url(broker.url) as client:
                    client.flushall()
        _wait_until_quiet(ledger)
        case = {"tasks": tasks, "kills": sum(map(len, killed.values())), "broker_emptied": empties}
        case |= _judge(ledger, tasks, killed)
    say(f"  stock Celery: {case['lost']} lost, {case['ran_twice']} ran twice of {tasks}")
    return case


@contextmanager
def _running() -> Iterator[tuple[services.Server, redis.Redis, Fleet]]:
    with (
        services.redis_server() as broker,
        services.valkey_server() as kept,
        services.folder("stock") as folder,
        redis.Redis.from_url(kept.url, decode_responses=True) as ledger,
    ):
        fleet = Fleet(pathlib.Path(folder))
        for number in range(1, WORKERS + 1):
            name = f"stock-{number}"
            # Celery's own command line reads BROKER_URL, and prefers it to what the application says.
            environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "BROKER_URL": broker.url}
            fleet.add(name, ["bench.reliability.stock", name, broker.url, kept.url], environment)
        try:
            yield broker, ledger, fleet
        finally:
            fleet.end()


def _wait_until_quiet(ledger: redis.Redis) -> None:
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        size = sum(1 for _ in ledger.scan_iter("ended:*", count=5000))
        if size != seen:
            seen, since = size, time.monotonic()
        time.sleep(1)


def _judge(ledger: redis.Redis, tasks: int, killed: dict[str, list[float]]) -> dict[str, Any]:
    ended = [int(count or 0) for count in ledger.mget([f"ended:{number}" for number in range(tasks)])]
    waits = []
    for number in range(tasks):
        began = [line.split() for line in ledger.lrange(f"began:{number}", 0, -1)]
        for (name, at), (_, again) in itertools.pairwise(began):
            by = [moment for moment in killed[name] if float(at) <= moment <= float(again)]
            if by:
                waits.append(float(again) - by[0])
    recovery = (
        {"count": len(waits), "p50": percentile(waits, 50), "max": max(waits)} if waits else {"count": 0}
    )
    return {
        "lost": sum(count == 0 for count in ended),
        "ran_twice": sum(count > 1 for count in ended),
        "recovery": {name: round(value, 1) for name, value in recovery.items()},
    }
