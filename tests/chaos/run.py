"""One run on one pair of database and broker: break, ask, mend, wait, judge."""

import itertools
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from db import session
from tests.chaos import ledger, plan, recovery, traffic, world
from tests.chaos.plan import Fault, Size
from tests.chaos.recovery import Kill
from tests.chaos.world import World

PAIRS = ("sqlite-redis", "postgresql-rabbitmq", "sqlite-rabbitmq", "postgresql-redis")
MUST_BE_ZERO = ("lost", "answered_twice", "posted_twice", "out_of_order", "wrong_thread")
Say = Callable[[str], None]

# After the last fault: a lease, what waits in line, and what is posted at Slack's pace.
SETTLE_SECONDS = 240.0
PROGRESS_SECONDS = 15.0

# One in so many calls or events meets it.
_SLACK_FAULTS = {
    "rate_limited": 0.02,
    "server_error": 0.02,
    "unavailable": 0.01,
    "time_out_before": 0.01,
    "time_out_after": 0.01,
    "drop_before": 0.02,
    "drop_after": 0.02,
    "slow": 0.02,
}
_EVENT_FAULTS = {"duplicate": 0.1, "late": 0.1, "two_events": 0.1}
_MODEL_FAULTS = {
    "busy": 0.02,
    "rate_limited": 0.01,
    "out_of_memory": 0.01,
    "loading": 0.005,
    "cut_stream": 0.02,
    "no_done": 0.01,
    "error_in_stream": 0.01,
    # Calls of up to a minute, longer than a lease.
    "slow": 0.01,
    "stall": 0.01,
}


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
        _misbehave(running)
        monkey = Monkey(running, faults, say)
        began = time.monotonic()
        threads = [
            threading.Thread(target=people.run, args=(began,), name="people"),
            threading.Thread(target=monkey.run, args=(began,), name="monkey"),
        ]
        for thread in threads:
            thread.start()
        engine = session.connect(running.database_url, pool_size=2)
        try:
            _watch(running, threads, monkey, began, size, say)
            monkey.mend()
            waited = _settle(running, engine, say)
            people.close()
            verdict = ledger.judge(
                people.asks, people.acknowledged(), engine, ledger.said(running.play.slack)
            )
            for note in verdict.notes:
                say(f"  {note}")
            recovered = recovery.times(running.fleet, monkey.kills)
            if verdict.notes:
                world.keep(running.folder)
            return {
                "pair": pair,
                "seed": seed,
                "seconds": round(time.monotonic() - begun),
                "size": asdict(size),
                "faults": monkey.counts(),
                "presses": people.presses,
                "settle_seconds": round(waited, 1),
                **ledger.as_json(verdict),
                "limit": world.LIMIT,
                **_calls(running),
                "recovery": {kind: _spread(seconds) for kind, seconds in recovered.items()},
            }
        finally:
            engine.dispose()


class Monkey:
    """Carries the plan out."""

    def __init__(self, running: World, faults: list[Fault], say: Say) -> None:
        self._world, self._faults, self._say = running, faults, say
        self._mends: list[tuple[float, Callable[[], None]]] = []
        self.kills: list[Kill] = []
        self.done: Counter[str] = Counter()
        self.broke: list[BaseException] = []

    def run(self, began: float) -> None:
        try:
            for fault in self._faults:
                self._wait_until(began + fault.at)
                self._break(fault, began)
        except BaseException as error:  # In a thread: the run must not go on as if nothing was.
            self.broke.append(error)
            raise

    def mend(self) -> None:
        """All faults are over."""
        for _, mend in self._mends:
            mend()
        self._mends.clear()
        for name in self._world.network.links:
            self._world.network.heal(name)
        self._world.play.slack.faults.clear()
        self._world.play.model.clear_faults()

    def counts(self) -> dict[str, int]:
        return dict(sorted(self.done.items()))

    def _wait_until(self, moment: float) -> None:
        while (now := time.monotonic()) < moment:
            due = min([moment, *(at for at, _ in self._mends)])
            time.sleep(max(0.0, due - now))
            for timed in [each for each in self._mends if each[0] <= time.monotonic()]:
                self._mends.remove(timed)
                timed[1]()

    def _break(self, fault: Fault, began: float) -> None:
        match fault.kind:
            case "kill":
                self._kill(fault.target)
            case "freeze":
                self._mend_after(fault, self._world.fleet.freeze(fault.target))
                self.done[f"freeze {fault.target.partition('-')[0]}"] += 1
            case "link":
                self._world.network.fault(fault.target, fault.how)
                self._mend_after(fault, lambda: self._world.network.heal(fault.target))
                self.done[f"link {fault.how}"] += 1
            case "empty_broker":
                self._world.empty_broker()
                self.done["broker emptied"] += 1
            case "restart_database":
                self._world.restart_database(fault.how)
                self.done[f"database {fault.how}"] += 1

    def _kill(self, name: str) -> None:
        at = time.time()
        life = self._world.fleet.kill(name)
        if life is not None:
            self.kills.append(Kill(name, life, at))
            self.done[f"kill {name.partition('-')[0]}"] += 1

    def _mend_after(self, fault: Fault, mend: Callable[[], None]) -> None:
        self._mends.append((time.monotonic() + fault.seconds, mend))


def _misbehave(running: World) -> None:
    """Faults of both stand-ins, by chance, all the time."""
    slack, model = running.play.slack, running.play.model
    slack.limits.enforce = False
    shape = {"slots": 64, "answer": "echo", "tokens_per_second": 240.0, "first_token_seconds": 0.1}
    model.engine.become(model.engine.shape.changed(shape), reload=False)
    for kind, chance in _SLACK_FAULTS.items():
        slack.faults.order_call({"kind": kind, "method": "*", "times": None, "probability": chance})
    for kind, chance in _EVENT_FAULTS.items():
        slack.faults.order_event({"kind": kind, "times": None, "probability": chance})
    for kind, chance in _MODEL_FAULTS.items():
        pause = {"slow": {"seconds": 4}, "stall": {"seconds": 8}}.get(kind, {})
        model.faults.order({"kind": kind, "times": 1_000_000, "probability": chance, **pause})


def _watch(
    running: World, threads: list[threading.Thread], monkey: Monkey, began: float, size: Size, say: Say
) -> None:
    """A line of progress now and then, until everything was sent and everything was broken."""
    while any(thread.is_alive() for thread in threads):
        next(thread for thread in threads if thread.is_alive()).join(PROGRESS_SECONDS)
        engine = running.play.model.engine
        done = ", ".join(f"{count} {what}" for what, count in _summed(monkey.done).items())
        say(
            f"  {time.monotonic() - began:4.0f} of {size.seconds:.0f} s: {engine.record.served} answers, "
            f"{engine.in_flight} in flight, peak {engine.record.peak_in_flight}; {done}"
        )
    if monkey.broke:
        raise monkey.broke[0]


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
