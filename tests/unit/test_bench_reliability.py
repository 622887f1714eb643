"""docs/reliability.md says what the results say."""

import pytest

from bench.reliability import __main__ as command
from bench.reliability import page
from bench.results import Folder
from tests.chaos import run
from tests.unit.test_bench_report import MACHINE

SEEN = {
    "pair": "sqlite-redis",
    "faults": {"kill infer": 20, "kill deliver": 3, "kill web": 4, "broker emptied": 5, "database users": 2},
    "requests": 500,
    "acknowledged": 481,
    "lost": 0,
    "answered_twice": 0,
    "posted_twice": 0,
    "out_of_order": 0,
    "wrong_thread": 0,
    "leaked": 0,
    "failed": {"bug": 2},
    "cancelled": 9,
    "limit": 6,
    "peak_in_flight": 6,
    "calls_begun": 640,
    "calls_completed": 505,
    "answers_used": 498,
    "recovery": {
        "in_line": {"count": 17, "p50": 29.8, "max": 31.0},
        "infer": {"count": 17, "p50": 31.2, "max": 39.9},
        "prepare": {"count": 0},
        "deliver": {"count": 1, "p50": 35.0, "max": 35.0},
    },
}
STOCK = {
    "tasks": 20_000,
    "kills": 52,
    "broker_emptied": 0,
    "lost": 11,
    "ran_twice": 21,
    "recovery": {"count": 300, "p50": 30.0, "max": 61.5},
}
SAFETY = {
    "database": "postgresql",
    **{f"{kind}_per_second": 300 for kind in ("with", "without", "beside")},
    **{f"{kind}_claim_p{p}": 0.002 for kind in ("with", "without", "beside") for p in (50, 99)},
    "look_p50": 0.0004,
    "renew_p50": 0.0021,
}


def about(name: str, data: dict, *, quick: bool = False) -> dict:
    return {"command": f"python -m x {name}", "seconds": 9, "machine": MACHINE, "quick": quick, "data": data}


def test_the_table_has_a_column_for_each_run_and_stock_celery_beside(tmp_path):
    """What was broken, what came of it, and the same kills without Threadline."""
    results = Folder(tmp_path / "results")
    results.save("sqlite-redis", about("sqlite-redis", SEEN))
    results.save("stock", about("stock", {"cases": [STOCK]}))
    results.save("safety", about("safety", {"running": 64, "cases": [SAFETY]}))
    text = page.write(results, tmp_path / "docs").read_text()
    assert "|  | SQLite, Redis | stock Celery, Redis |" in text
    assert "| SIGKILL of workers | 23 | 52 |" in text
    assert "| **lost** | **0** | **11** |" in text
    assert "| **peak in flight** / limit | **6** / 6 |  |" in text
    assert "| a call runs again, p50 / max | 31.2 / 39.9 s (17) | 30.0 / 61.5 s (300) |" in text
    assert "short form" not in text
    assert "| PostgreSQL | as it is | 300 | 2.0 ms | 2.0 ms |" in text


def test_a_short_run_says_so_and_nothing_measured_too(tmp_path):
    """A reader must not take a rough number for the promise."""
    results = Folder(tmp_path / "results")
    assert "Not measured yet." in page.write(results, tmp_path / "docs").read_text()
    results.save("sqlite-redis", about("sqlite-redis", SEEN, quick=True))
    assert "short form" in page.write(results, tmp_path / "docs").read_text()


def test_what_is_wrong_is_named():
    """The suite ends with 1 for anything lost, said twice, misplaced, or over the limit."""
    assert run.wrong(SEEN) == {}
    assert run.wrong(SEEN | {"lost": 1, "peak_in_flight": 7}) == {"lost": 1, "peak_in_flight": 7}


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]):
    """Before anything starts."""
    assert command.main(["--only", "sqlite-kafka"]) == 2
    assert "sqlite-kafka" in capsys.readouterr().err
