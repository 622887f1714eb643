"""Model servers under a backlog, simulated: what the learning limit is tuned and tested on.

A fluid model: each running call is served at 1 / (t0 + c * running) tokens a second (vLLM's continuous batching),
less when the memory overflows; calls beyond the slots queue inside the server. Time is simulated, lengths are
lognormal and seeded, so that a run says the same each time. `python -m tests.unit.gpu_sim` prints the table.
"""

import heapq
import math
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from db.calls import Answered
from tasks.infer import limit
from tasks.infer.gauges import Gauges


@dataclass(frozen=True)
class Shape:
    """A server. Times are seconds a token; `prompt` is what reading a token costs, in written tokens."""

    t0: float = 0.02
    c: float = 0.0005
    slots: int = 10_000
    memory: float = math.inf  # tokens; beyond it calls are preempted and begin again
    thrash: float = 1.0  # how much that costs: a power of how far it is over-full
    breaks_above: int = 10_000  # calls in flight beyond it: out of memory
    together: bool = False  # out of memory ends all calls in flight, not only the newest
    busy_above: int = 10_000  # 429
    per_minute: float = math.inf  # 429: a bucket that refills all the time and holds a tenth of a minute's
    gauges: bool = False
    prompt: float = 1 / 15
    tokens_out: float = 90.0  # mean
    tokens_in: float = 600.0  # mean
    spread: float = 0.7  # sigma of the lognormal lengths


@dataclass
class Sent:
    """A call at the server."""

    tokens_in: int
    tokens_out: int
    work: float
    claimed_at: float
    in_flight: int
    open: bool = True


@dataclass
class Outcome:
    """What came of a run: (time, tokens of work) of each answer, times of refusals, (time, limit) of each look."""

    answers: list[tuple[float, float]] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    levels: list[tuple[float, int]] = field(default_factory=list)

    def rate(self, start: float, end: float) -> float:
        """Work a second."""
        return sum(work for at, work in self.answers if start <= at < end) / (end - start)

    def refused(self, start: float, end: float) -> float:
        """The share of calls that was refused."""
        refusals = sum(start <= at < end for at in self.refusals)
        answers = sum(start <= at < end for at, _ in self.answers)
        return refusals / max(1, refusals + answers)

    def level(self, at: float) -> int:
        return next(level for time, level in reversed(self.levels) if time <= at)


class Simulation:
    """One server, one backlogged line, one limit: fixed, or learned."""

    def __init__(
        self,
        shape: Shape,
        fixed: int | None,
        seed: int,
        changes: Sequence[tuple[float, Shape]] = (),
        has_work: Callable[[float], bool] = math.isfinite,  # at all times
    ) -> None:
        self.shape = shape
        self.fixed = fixed
        self.random = random.Random(seed)
        self.changes = list(changes)
        self.has_work = has_work
        self.state = limit.Limit()
        self.now = 0.0
        self.served = 0.0  # tokens served to each running call so far
        self.running: list[tuple[float, int, Sent]] = []
        self.tokens = 0.0  # held by the running calls
        self.queue: list[Sent] = []
        self.flying: list[Sent] = []
        self.again: list[tuple[int, int]] = []
        self.heard: list[Answered] = []
        self.serial = 0
        self.paused_until = 0.0
        self.failures = 0
        self.bucket = shape.per_minute / 10
        self.outcome = Outcome()

    def run(self, seconds: float) -> Outcome:
        next_look = 1.0
        while self.now < seconds:
            self.claim()
            due = self.now + self.until_done()
            if due < next_look and not (self.now < self.paused_until < due):
                self.pass_time(due)
                self.finish()
            elif self.now < self.paused_until < next_look:
                self.pass_time(self.paused_until)
            else:
                self.pass_time(next_look)
                next_look += 1.0
                self.look()
        return self.outcome

    def step_seconds(self) -> float:
        full = self.tokens / self.shape.memory
        return (self.shape.t0 + self.shape.c * len(self.running)) * math.pow(
            max(1.0, full), self.shape.thrash
        )

    def until_done(self) -> float:
        return max(0.0, self.running[0][0] - self.served) * self.step_seconds() if self.running else math.inf

    def pass_time(self, until: float) -> None:
        self.served += (until - self.now) / self.step_seconds()
        self.bucket = min(
            self.shape.per_minute / 10, self.bucket + (until - self.now) * self.shape.per_minute / 60
        )
        self.now = until

    def level(self) -> int:
        return self.fixed or self.state.level

    def claim(self) -> None:
        while len(self.flying) < self.level() and self.now >= self.paused_until and self.has_work(self.now):
            tokens_in, tokens_out = self.again.pop() if self.again else self.lengths()
            work = tokens_out + tokens_in * self.shape.prompt
            call = Sent(tokens_in, tokens_out, work, self.now, len(self.flying) + 1)
            self.flying.append(call)
            self.arrive(call)

    def lengths(self) -> tuple[int, int]:
        def draw(mean: float) -> int:
            return 1 + int(mean * self.random.lognormvariate(-(self.shape.spread**2) / 2, self.shape.spread))

        return draw(self.shape.tokens_in), draw(self.shape.tokens_out)

    def arrive(self, call: Sent) -> None:
        if len(self.flying) > self.shape.busy_above or self.bucket < 1:
            self.refuse([call], "busy")
        elif len(self.flying) > self.shape.breaks_above:
            self.refuse(list(self.flying) if self.shape.together else [call], "out_of_memory")
        else:
            self.bucket -= 1
            self.queue.append(call)
            self.admit()

    def admit(self) -> None:
        while self.queue and len(self.running) < self.shape.slots:
            call = self.queue.pop(0)
            self.serial += 1
            heapq.heappush(self.running, (self.served + call.work, self.serial, call))
            self.tokens += call.tokens_in + call.tokens_out

    def refuse(self, calls: list[Sent], kind: Literal["busy", "out_of_memory"]) -> None:
        for call in calls:
            self.state = limit.refused(self.state, kind, len(self.flying), call.claimed_at, self.now)
            self.flying.remove(call)
            self.again.append((call.tokens_in, call.tokens_out))
            self.outcome.refusals.append(self.now)
            call.open = False
        self.queue = [call for call in self.queue if call.open]
        self.running = [entry for entry in self.running if entry[2].open]
        heapq.heapify(self.running)
        self.tokens = sum(entry[2].tokens_in + entry[2].tokens_out for entry in self.running)
        if self.now >= self.paused_until:
            # As db.backends.pause does it: 1, 2, 4 s and so on.
            self.paused_until = self.now + min(15, 2**self.failures)
            self.failures += 1

    def finish(self) -> None:
        while self.running and self.running[0][0] <= self.served + 1e-9:
            call = heapq.heappop(self.running)[2]
            self.tokens -= call.tokens_in + call.tokens_out
            self.flying.remove(call)
            self.failures = 0
            self.heard.append(
                Answered(call.tokens_in, call.tokens_out, self.now - call.claimed_at, call.in_flight)
            )
            self.outcome.answers.append((self.now, call.work))
        self.admit()

    def look(self) -> None:
        while self.changes and self.changes[0][0] <= self.now:
            self.shape = self.changes.pop(0)[1]
            over = self.flying[self.shape.breaks_above :]
            if over:
                self.refuse(over, "out_of_memory")
            self.admit()
        if self.fixed is None:
            memory = min(1.0, self.tokens / self.shape.memory) if self.shape.memory < math.inf else None
            gauges = Gauges(len(self.running), len(self.queue), memory) if self.shape.gauges else None
            waiting = self.now >= self.paused_until and self.has_work(self.now)
            self.state = limit.looked(
                self.state, limit.Seen(self.now, len(self.flying), waiting, self.heard, gauges)
            )
        self.heard = []
        self.outcome.levels.append((self.now, self.level()))


FRAGILE = Shape(breaks_above=6)
FRAGILE_TOGETHER = replace(FRAGILE, together=True)
VLLM = Shape(c=0.0006, memory=30_000)
LLAMACPP = Shape(c=0.001, slots=4, gauges=True)
LLAMACPP_BLIND = replace(LLAMACPP, gauges=False)
OLLAMA = Shape(c=0.002, slots=2)
REMOTE = Shape(c=0.0, busy_above=8, per_minute=300)
METERED = Shape(c=0.0, busy_above=64, per_minute=130)

PROFILES = {
    "fragile": FRAGILE,
    "fragile, all fall": FRAGILE_TOGETHER,
    "vllm": VLLM,
    "vllm with gauges": replace(VLLM, gauges=True),
    "vllm, thrashing": replace(VLLM, thrash=2.0),
    "llamacpp": LLAMACPP,
    "llamacpp, no gauges": LLAMACPP_BLIND,
    "ollama": OLLAMA,
    "remote, 8 at once": REMOTE,
    "remote, by minute": METERED,
    "long calls": replace(FRAGILE, t0=0.2, c=0.002, breaks_above=8),
    "short calls": replace(VLLM, t0=0.002, c=0.00012, slots=16),
    "wide": Shape(t0=0.02, c=0.0002, slots=128),
    "slow prompts": replace(VLLM, prompt=0.5, memory=25_000, thrash=2.0),
    "free prompts": replace(VLLM, prompt=0.0, memory=25_000, thrash=2.0),
}
SLOW = {"long calls", "slow prompts"}  # calls of 10 to 30 s take longer to learn from
LEVELS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 48, 64, 96, 128, 160)


def fixed(
    shape: Shape, seed: int, start: float, end: float, levels: Sequence[int] = LEVELS
) -> dict[int, tuple[float, float]]:
    """For each fixed limit its work a second, and the share of calls refused."""
    found: dict[int, tuple[float, float]] = {}
    for level in levels:
        outcome = Simulation(shape, level, seed).run(end)
        found[level] = (outcome.rate(start, end), outcome.refused(60.0, end))
        if found[level][0] < 0.7 * max(rate for rate, _ in found.values()):
            break
    return found


def best_of(found: Mapping[int, tuple[float, float]], most_refused: float = 1.0) -> tuple[int, float]:
    """The fixed limit with the most work a second among those with few enough refusals, and that work."""
    level = max(
        (level for level in found if found[level][1] <= most_refused), key=lambda level: found[level][0]
    )
    return level, found[level][0]


def row(name: str, seeds: Sequence[int]) -> str:
    shape = PROFILES[name]
    start, end = (300.0, 1800.0) if name in SLOW else (120.0, 720.0)
    shares, fair, refused, levels, bests = [], [], [], [], []
    for seed in seeds:
        found = fixed(shape, seed, start, end)
        level, rate = best_of(found)
        outcome = Simulation(shape, None, seed).run(end)
        shares.append(outcome.rate(start, end) / rate)
        fair.append(outcome.rate(start, end) / best_of(found, 0.01)[1])
        refused.append(outcome.refused(60.0, end))
        levels.append(statistics.median(at for _, at in outcome.levels[int(start) :]))
        bests.append(level)
    return (
        f"{name:20s} best {statistics.median(bests):5.1f} auto {statistics.median(levels):5.1f}"
        f"  of the best: mean {statistics.mean(shares):6.1%} worst {min(shares):6.1%}"
        f"  of the best with 1 % refused: mean {statistics.mean(fair):6.1%} worst {min(fair):6.1%}"
        f"  refused: mean {statistics.mean(refused):5.2%} worst {max(refused):5.2%}"
    )


def main() -> None:
    for name in sys.argv[1:] or list(PROFILES):
        sys.stdout.write(row(name, range(10)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
