"""How many requests a second show their cards in time on this machine, and what of its cores each process takes."""

import random
import time
from typing import Any

import psutil
import sqlalchemy as sa

from bench import card, product
from bench.numbers import percentile
from bench.say import Say
from db import session

RATES, QUICK_RATES = (5, 10, 20, 30, 50), (5, 10)
SECONDS, QUICK_SECONDS = 6, 3

# Seconds of a core, by process.
Used = dict[str, float]


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Seconds until the card, and milliseconds of a core for each request, at each rate on each database."""
    rates, seconds = (QUICK_RATES, QUICK_SECONDS) if quick else (RATES, SECONDS)
    waiting = card.QUICK_WAITING if quick else card.WAITING
    cases = []
    for database in product.databases():
        say(f"{database}: {waiting} in line, then {', '.join(map(str, rates))} requests a second")
        with product.running(database) as running:
            product.warm_up(running, seed)
            running.act("model", **card.SLOW)
            threads = card.threads(running)
            card.fill_line(seed, running, threads, waiting)
            for rate in rates:
                case = _case(seed, running, threads, rate, seconds)
                card.all_prepared(running)
                say(f"  {rate:>3} a second: card p95 {case['p95'] * 1000:6.0f} ms, {case['cores']:.2f} cores")
                cases.append({"database": database, **case})
    return {"seconds": seconds, "waiting": waiting, "channels": card.CHANNELS, "cases": cases}


def _case(
    seed: random.Random, running: product.Product, threads: card.Threads, rate: int, seconds: int
) -> dict[str, Any]:
    before, began = _used(running), time.perf_counter()
    asked = card.ask(seed, f"{running.web}/slack/events", threads, rate * seconds, rate)
    cards = card.our_cards(running, asked)
    after, wall = _used(running), time.perf_counter() - began
    side = card.Seen()
    side.add(asked, cards)
    return {
        "rate": rate,
        "p50": round(percentile(side.cards, 50), 6),
        "p95": round(percentile(side.cards, 95), 6),
        "refused": side.refused,
        "cores": round((sum(after.values()) - sum(before.values())) / wall, 3),
        "cpu_ms": {name: round((after[name] - before[name]) / len(asked) * 1000, 2) for name in after},
    }


def _used(running: product.Product) -> Used:
    """Of every process with its children, the stand-ins and the load generator (this process) among them."""
    families = {name: server.process.pid for name, server in running.servers.items() if server.process}
    families["broker"] = running.broker_pid
    if running.engine.dialect.name == "postgresql":
        with session.reading(running.engine) as reading:
            own = reading.scalar(sa.text("SELECT pg_backend_pid()"))
        families["database"] = psutil.Process(own).ppid()
    found = {name: _family(psutil.Process(pid)) for name, pid in families.items()}
    mine = psutil.Process().cpu_times()
    return {**found, "load": mine.user + mine.system}


def _family(process: psutil.Process) -> float:
    # Of a child that has ended its parent knows.
    times = [member.cpu_times() for member in (process, *process.children(recursive=True))]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)
