"""How long work stood still after its worker was killed, read from the workers' logs and the jobs' timelines."""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from db import session
from db.models import Event
from tests.chaos.fleet import Fleet

# What a claim is for: a call, a job to prepare, or a lane. `in_line`: a call is back in the line.
_KINDS = ("infer", "prepare", "deliver", "in_line")


@dataclass(frozen=True)
class Kill:
    """SIGKILL of one life of a process, at a moment of the wall clock."""

    name: str
    life: int
    at: float


def times(fleet: Fleet, kills: Iterable[Kill], engine: sa.Engine) -> dict[str, list[float]]:
    """For each kind of work, the seconds from each kill of a claim's holder until that work was claimed again.

    For `in_line`, until the sweep had put the call back in the line, where it may wait for a slot. Work that nobody needed to claim again, such as that of a job cancelled meanwhile, is not among them.
    """
    claims: dict[tuple[str, Any], list[float]] = defaultdict(list)
    held: dict[tuple[str, int], set[tuple[str, Any]]] = {}
    for name, process in fleet.processes.items():
        for life in range(1, process.lives + 1):
            holds = held.setdefault((name, life), set())
            for at, event, work in _lines(process.log(life).read_text(errors="replace")):
                if event == "claimed":
                    claims[work].append(at)
                    holds.add(work)
                else:
                    holds.discard(work)
    freed = _freed(engine)
    found: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    for kill in kills:
        for work in held.get((kill.name, kill.life), ()):
            for kind, moments in ((work[0], claims[work]), ("in_line", freed[work])):
                again = [at for at in moments if at > kill.at]
                if again:
                    found[kind].append(round(min(again) - kill.at, 2))
    return found


def _freed(engine: sa.Engine) -> dict[tuple[str, Any], list[float]]:
    """When calls were put back in the line, as their jobs' timelines say."""
    freed = defaultdict(list)
    with session.reading(engine) as reading:
        for event in reading.scalars(sa.select(Event).where(Event.name == "lease lost")):
            freed["infer", event.detail["step"]].append(event.at.timestamp())
    return freed


def _lines(log: str) -> Iterator[tuple[float, str, tuple[str, Any]]]:
    for line in log.splitlines():
        if '"claimed"' not in line and '"released"' not in line:
            continue
        try:
            said = json.loads(line)
        except ValueError:
            # Half a line: it was killed while it wrote.
            continue
        on = said["step"] if said["task"] == "infer" else said["on"]
        yield dt.datetime.fromisoformat(said["timestamp"]).timestamp(), said["event"], (said["task"], on)


def count(fleet: Fleet, event: str) -> int:
    """How often the processes logged an event."""
    return fleet.logs().count(f'"event": "{event}"')
