"""How long work stood still after its worker was killed, read from the workers' logs and the jobs' timelines."""

import datetime as dt
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from db import session
from db.models import Event
from tasks.infer.hold import HEARTBEAT, LEASE
from tasks.sweep import MOST_CLAIMS
from tests.chaos.fleet import Fleet

# What a claim is for: a call, a job to prepare, or a lane. `in_line`: a call is back in the line; and the same calls
# apart: those that go to their last claim, which wait for each other, those that waited for a sweep, and the others.
_KINDS = ("infer", "prepare", "deliver", "in_line", "in_line_last", "in_line_unswept", "in_line_others")

_EVENTS = ('"claimed"', '"released"', '"sweep.freed"')

# Sweeps come every second, or every 3 to 4 s while nobody asks (tasks.silence). Without one for so long, it is not the
# line that a call waited for.
UNSWEPT_SECONDS = 5.0


@dataclass(frozen=True)
class Kill:
    """SIGKILL of one life of a process, at a moment of the wall clock."""

    name: str
    life: int
    at: float


def times(fleet: Fleet, kills: Iterable[Kill], engine: sa.Engine) -> dict[str, list[float]]:
    """For each kind of work, the seconds from each kill of a claim's holder until that work was claimed again.

    For `in_line`, until the sweep had put the call back in the line, where it may wait for a slot. Work that nobody needed to claim again, such as that of a job cancelled meanwhile, is not among them. And as `unswept`, how long it was without a sweep, each time that it was for longer than UNSWEPT_SECONDS.
    """
    claims: dict[tuple[str, Any], list[float]] = defaultdict(list)
    sweeps: list[float] = []
    held: dict[tuple[str, int], set[tuple[str, Any]]] = {}
    for name, process in fleet.processes.items():
        for life in range(1, process.lives + 1):
            holds = held.setdefault((name, life), set())
            for at, event, work in _lines(process.log(life).read_text(errors="replace")):
                if event == "sweep.freed":
                    sweeps.append(at)
                elif event == "claimed":
                    claims[work].append(at)
                    holds.add(work)
                else:
                    holds.discard(work)
    freed = _freed(engine)
    sweeps.sort()
    gaps = (round(after - before, 2) for before, after in itertools.pairwise(sweeps))
    found: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    found["unswept"] = [gap for gap in gaps if gap > UNSWEPT_SECONDS]
    for kill in kills:
        for work in held.get((kill.name, kill.life), ()):
            for kind, moments in ((work[0], claims[work]), ("in_line", freed[work])):
                again = [at for at in moments if at > kill.at]
                if again:
                    found[kind].append(round(min(again) - kill.at, 2))
                    if kind == "in_line":
                        found[_why(kill.at, min(again), moments, sweeps)].append(found[kind][-1])
    return found


def _why(killed: float, back: float, freed: list[float], sweeps: list[float]) -> str:
    """What a call waited for that came back, by what may have been before its lease."""
    if sum(at < killed for at in freed) >= MOST_CLAIMS - 2:
        return "in_line_last"
    # It may have been renewed just before the kill, or have been about to be.
    ends = killed + (LEASE - HEARTBEAT).total_seconds()
    looks = [ends, *(at for at in sweeps if ends < at < back), back]
    silent = max(after - before for before, after in itertools.pairwise(looks)) > UNSWEPT_SECONDS
    return "in_line_unswept" if silent else "in_line_others"


def _freed(engine: sa.Engine) -> dict[tuple[str, Any], list[float]]:
    """When calls were put back in the line, as their jobs' timelines say."""
    freed = defaultdict(list)
    with session.reading(engine) as reading:
        for event in reading.scalars(sa.select(Event).where(Event.name == "lease lost")):
            freed["infer", event.detail["step"]].append(event.at.timestamp())
    return freed


def _lines(log: str) -> Iterator[tuple[float, str, tuple[str, Any]]]:
    for line in log.splitlines():
        if not any(event in line for event in _EVENTS):
            continue
        try:
            said = json.loads(line)
        except ValueError:
            # Half a line: it was killed while it wrote.
            continue
        # A sweep that nobody asked for is no task.
        task = said.get("task", "sweep")
        on = said["step"] if task == "infer" else said.get("on")
        yield dt.datetime.fromisoformat(said["timestamp"]).timestamp(), said["event"], (task, on)


def count(fleet: Fleet, event: str) -> int:
    """How often the processes logged an event."""
    return fleet.logs().count(f'"event": "{event}"')
