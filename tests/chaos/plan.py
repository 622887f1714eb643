"""What breaks when: a plan that a seed makes, and makes again."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WORKERS = ("prepare", "infer", "deliver")
FRONT = ("web", "beat")

# Longer than any lease (tasks.deliver.stage.LEASE is the longest), so that a claim is lost.
FREEZE_SECONDS = 38.0


@dataclass(frozen=True)
class Size:
    """How much is sent and how much is broken in one run, on one pair of database and broker."""

    seconds: float
    requests: int
    worker_kills: int
    front_kills: int
    broker_losses: int
    database_restarts: int
    freezes: int
    link_faults: int
    # Of each kind of process.
    copies: int = 2


# Four runs of this, one for each pair: 2,000 requests, 208 kills of workers, 52 of web and beat, 20 of the broker,
# 12 restarts of the database.
FULL = Size(
    seconds=340,
    requests=500,
    worker_kills=52,
    front_kills=13,
    broker_losses=5,
    database_restarts=3,
    freezes=6,
    link_faults=30,
)
SHORT = Size(
    seconds=40,
    requests=60,
    worker_kills=9,
    front_kills=3,
    broker_losses=1,
    database_restarts=1,
    freezes=2,
    link_faults=6,
)


@dataclass(frozen=True)
class Fault:
    """Something that breaks `at` seconds after the begin, and for timed ones is mended `seconds` later."""

    at: float
    kind: str
    target: str = ""
    how: str = ""
    seconds: float = 0.0


def processes(copies: int) -> list[str]:
    """The names of all processes: `infer-2` is the second of its kind."""
    return [f"{kind}-{number}" for kind in (*FRONT, *WORKERS) for number in range(1, copies + 1)]


def make(seed: random.Random, size: Size, links: Sequence[str], restarts: Sequence[str]) -> list[Fault]:
    """The faults of a run, in order. `links` may misbehave; `restarts` are the ways to restart the database."""
    names = processes(size.copies)
    workers = [name for name in names if name.startswith(WORKERS)]
    front = [name for name in names if name.startswith(FRONT)]
    made = [
        *(Fault(at, "kill", who) for at, who in _rounds(seed, size, size.worker_kills, workers)),
        *(Fault(at, "kill", who) for at, who in _rounds(seed, size, size.front_kills, front)),
        *(Fault(at, "empty_broker") for at in _moments(seed, size, size.broker_losses)),
        *(
            Fault(at, "restart_database", how=restarts[number % len(restarts)])
            for number, at in enumerate(_moments(seed, size, size.database_restarts))
        ),
        *(
            # Whoever is frozen while it holds a call or a post is what matters; it comes first.
            Fault(at, "freeze", who, seconds=FREEZE_SECONDS)
            for at, who in zip(_moments(seed, size, size.freezes), _frozen(seed, size), strict=True)
        ),
        *_link_faults(seed, size, links),
    ]
    return sorted(made, key=lambda fault: (fault.at, fault.kind, fault.target))


def _moments(seed: random.Random, size: Size, count: int) -> list[float]:
    """One in each of `count` equal parts of the run, so that none meet by accident at its end."""
    part = size.seconds / max(1, count)
    return [round((number + seed.uniform(0.1, 0.9)) * part, 2) for number in range(count)]


def _rounds(seed: random.Random, size: Size, count: int, names: Sequence[str]) -> Iterator[tuple[float, str]]:
    """`count` moments, and for each a name; each name's turn comes once in a round."""
    waiting: list[str] = []
    for at in _moments(seed, size, count):
        waiting = waiting or seed.sample(list(names), len(names))
        yield at, waiting.pop()


def _frozen(seed: random.Random, size: Size) -> list[str]:
    kinds = ["infer", "deliver", "infer", "prepare", "deliver", "web", "infer", "beat"]
    return [f"{kinds[number % len(kinds)]}-{seed.randint(1, size.copies)}" for number in range(size.freezes)]


def _link_faults(seed: random.Random, size: Size, links: Sequence[str]) -> Iterator[Fault]:
    waiting: list[str] = []
    for at in _moments(seed, size, size.link_faults):
        waiting = waiting or seed.sample(list(links), len(links))
        how = seed.choice(["cut", "half_close", "hold", "slow", "refuse"])
        yield Fault(at, "link", waiting.pop(), how, round(seed.uniform(1, 10), 1))
