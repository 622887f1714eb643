"""How recovery is read from logs and timelines, apart by what a call waited for."""

import json
import pathlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from db import events
from tests import fakes
from tests.chaos import recovery
from tests.chaos.recovery import Kill
from tests.fakes import NOW, do


@dataclass
class Process:
    """One life, whose log was written beforehand."""

    path: pathlib.Path
    lives: int = 1

    def log(self, life: int) -> pathlib.Path:
        return self.path


@dataclass
class Fleet:
    processes: dict[str, Process]


def _line(seconds: float, event: str, **more: object) -> str:
    at = (NOW + timedelta(seconds=seconds)).astimezone(UTC)
    return json.dumps({"timestamp": at.isoformat(), "event": event, **more}) + "\n"


@pytest.fixture
def times(sqlite_engine: sa.Engine, tmp_path: pathlib.Path):
    """What is found of a call that was claimed at 0 s and whose worker was killed at 5 s."""
    fakes.declare(sqlite_engine)
    job = fakes.accepted(sqlite_engine)

    def found(lost: list[float], sweeps: list[float]) -> dict[str, list[float]]:
        (tmp_path / "infer").write_text(_line(0, "claimed", task="infer", step=1))
        # As a task, and as one that nobody asked for.
        said = [
            _line(at, "sweep.freed", **({"task": "sweep", "on": None} if at % 2 else {})) for at in sweeps
        ]
        (tmp_path / "deliver").write_text("".join(said))
        for at in lost:
            do(sqlite_engine, events.record, job.id, "lease lost", NOW + timedelta(seconds=at), step=1)
        fleet = Fleet({name: Process(tmp_path / name) for name in ("infer", "deliver")})
        killed = datetime.timestamp(NOW + timedelta(seconds=5))
        # Of a world it asks the processes alone.
        read = recovery.times(fleet, [Kill("infer", 1, killed)], sqlite_engine)  # type: ignore[arg-type]
        return {kind: seconds for kind, seconds in read.items() if seconds}

    return found


def test_a_call_that_comes_back_after_its_lease(times):
    assert times([36], [*range(40)]) == {"in_line": [31.0], "in_line_others": [31.0]}


def test_a_call_that_comes_back_late_because_nothing_swept(times):
    """Also when the last sweep was before its lease ended."""
    seen = times([45], [*range(30), 46])
    assert seen == {"in_line": [40.0], "in_line_unswept": [40.0], "unswept": [17.0]}


def test_sweeps_that_were_missed_while_the_lease_went_on_are_no_reason(times):
    seen = times([36], [0, *range(20, 40)])
    assert seen == {"in_line": [31.0], "in_line_others": [31.0], "unswept": [20.0]}


def test_a_call_that_goes_to_its_last_claim(times):
    """Its lease was lost once before."""
    assert times([-40, 50], [*range(60)]) == {"in_line": [45.0], "in_line_last": [45.0]}
