"""One run on one pair of database and broker: break, ask, mend, wait, judge."""

import concurrent.futures
import itertools
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from db import session
from tests.acceptance.stack import BOT_TOKEN, SIGNING_SECRET
from tests.chaos import ledger, plan, recovery, traffic, world
from tests.chaos import monkey as monkeys
from tests.chaos.monkey import Monkey
from tests.chaos.plan import Size
from tests.chaos.world import World

PAIRS = ("sqlite-redis", "postgresql-rabbitmq", "sqlite-rabbitmq", "postgresql-redis")
MUST_BE_ZERO = ("lost", "answered_twice", "posted_twice", "out_of_order", "wrong_thread", "leaked")
Say = Callable[[str], None]

# After the last fault: a lease, what waits in line, and what is posted at Slack's pace.
SETTLE_SECONDS = 240.0
PROGRESS_SECONDS = 15.0


def wrong(seen: dict[str, Any]) -> dict[str, int]:
    """What of a run is not as it must be."""
    found = {what: seen[what] for what in MUST_BE_ZERO if seen[what]}
    if seen["peak_in_flight"] > seen["limit"]:
        found["peak_in_flight"] = seen["peak_in_flight"]
    return found


def run(pair: str, seed: int, size: Size, say: Say) -> dict[str, Any]:
    """Everything that was seen, for the results."""
    begun = time.monotonic()
    with world.running(pair, size.copies) as running:
        # Two sources, so that the plan does not hang on how the traffic is made.
        faults = plan.make(random.Random(seed), size, sorted(running.network.links), running.restarts)
        source = random.Random(seed + 1)
        people = traffic.People(running, source, traffic.make(source, size))
        monkeys.misbehave(running)
        monkey = Monkey(running, faults)
        engine = session.connect(running.database_url, pool_size=2)
        try:
            _go(running, people, monkey, size, say)
            monkey.mend()
            waited = _settle(running, engine, say)
            verdict = ledger.judge(
                people.asks, people.acknowledged(), engine, ledger.said(running.play.slack)
            )
            recovered = recovery.times(running.fleet, monkey.kills, engine)
            seen = {
                "pair": pair,
                "seed": seed,
                "seconds": round(time.monotonic() - begun),
                "size": asdict(size),
                "faults": monkey.counts(),
                "presses": people.presses,
                "settle_seconds": round(waited, 1),
                **ledger.as_json(verdict),
                "leaked": _leaked(running),
                "limit": world.LIMIT,
                **_calls(running),
                "recovery": {kind: _spread(seconds) for kind, seconds in recovered.items()},
            }
            if wrong(seen):
                world.keep(running.folder)
            return seen
        finally:
            engine.dispose()


def _go(running: World, people: traffic.People, monkey: Monkey, size: Size, say: Say) -> None:
    """Until everything was sent and everything was broken, with a line of progress now and then."""
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        left = {pool.submit(people.run, began), pool.submit(monkey.run, began)}
        while left:
            ended, left = concurrent.futures.wait(left, PROGRESS_SECONDS, concurrent.futures.FIRST_COMPLETED)
            for one in ended:
                one.result()
            engine = running.play.model.engine
            done = ", ".join(f"{count} {what}" for what, count in _summed(monkey.done).items())
            say(
                f"  {time.monotonic() - began:4.0f} of {size.seconds:.0f} s: {engine.record.served} answers, "
                f"{engine.in_flight} in flight, peak {engine.record.peak_in_flight}; {done}"
            )
    people.close()


def _summed(done: Counter[str]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for what, count in done.items():
        summed[what.partition(" ")[0]] += count
    return summed


def _settle(running: World, engine: Any, say: Say) -> float:
    """Wait until all is said; returns how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < SETTLE_SECONDS:
        time.sleep(1)
        if not running.play.slack.delivery.under_way and ledger.settled(engine):
            break
    else:
        say(f"  not settled after {SETTLE_SECONDS:.0f} s")
    return time.monotonic() - began


def _leaked(running: World) -> int:
    """How often the logs hold what people wrote, or a secret (I10)."""
    logs = running.fleet.logs()
    secrets = (BOT_TOKEN, SIGNING_SECRET, world.API_TOKEN)
    return len(traffic.MARK.findall(logs)) + sum(logs.count(secret) for secret in secrets)


def _calls(running: World) -> dict[str, Any]:
    """What the model server saw, and what of it was used."""
    record = running.play.model.engine.record
    used = recovery.count(running.fleet, "step.done")
    return {
        "peak_in_flight": record.peak_in_flight,
        "over_limit_seconds": round(_over(list(record.changes), world.LIMIT), 2),
        "calls_begun": sum(person["calls"] for person in record.people.values()),
        "calls_completed": record.served,
        "answers_used": used,
    }


def _over(changes: list[tuple[float, int, int]], limit: int) -> float:
    return sum(
        later[0] - at for (at, in_flight, _), later in itertools.pairwise(changes) if in_flight > limit
    )


def _spread(seconds: list[float]) -> dict[str, Any]:
    if not seconds:
        return {"count": 0}
    return {"count": len(seconds), "p50": statistics.median(seconds), "max": max(seconds)}
