"""The page of benchmarks says what the results say, and no more."""

import pytest

from bench import numbers, report
from bench.results import Folder

MACHINE = {
    "date": "2026-01-17T12:00:00+00:00",
    "revision": "abc1234",
    "cpu": "a core",
    "cores": 2,
    "memory_gb": 4.0,
    "system": "Linux 6",
    "load_before": 0.1,
    "fdatasync_ms": 0.2,
    "versions": {"python": "3.11"},
}


def side(p99: float) -> dict:
    return {
        "p50": p99 / 4,
        "p90": p99 / 2,
        "p99": p99,
        "max": 2 * p99,
        "refused": 0,
        "generator_late_p99": 0.001,
        "curve": [[0, p99 / 8], [50, p99 / 4], [99, p99], [100, 2 * p99]],
    }


STAGE = {"p50": 0.02}
ACK_CASE = {"database": "sqlite", "workers": "working", "jobs_done": 10, "jobs_left": 2990}
PATH_CASE = {"database": "sqlite", **side(0.2), "p50": 0.1204, "stages": dict.fromkeys("abcde", STAGE)}
RATES = {"slack_per_second": 20.0, "api_per_second": 90.0, "chain_per_second": 240.0, "refused": 3}
DATA = {
    "ack": {
        "rate": 100,
        "seconds": 30,
        "blocks": 6,
        "cases": [{**ACK_CASE, "threadline": side(0.050), "bolt": side(0.020)}],
    },
    "path": {"requests": 60, "cases": [PATH_CASE]},
    "throughput": {"jobs": 300, "cases": [{"database": "postgresql", **RATES}]},
    "memory": {
        "jobs": 40,
        "total_mb": 390.4,
        "total_fresh_mb": 350.0,
        "product": ["web"],
        "beside": ["broker"],
        "processes": {"web": {"processes": 1, "mb": 390.4}, "broker": {"processes": 1, "mb": 5.0}},
    },
    "start": {
        "cold": {"page": 30.0, "answer": 31.5},
        "warm": [{"page": 4.0, "answer": 5.0}, {"page": 7.0, "answer": 9.0}],
    },
}


@pytest.fixture
def results(tmp_path):
    folder = Folder(tmp_path / "results")
    for name, data in DATA.items():
        about = {
            "name": name,
            "command": f"python -m bench --only {name}",
            "quick": False,
            "machine": MACHINE,
        }
        folder.save(name, {**about, "seconds": 60, "data": data})
    return folder


def test_every_aim_is_judged_by_its_number(results) -> None:
    found = {name: results.load(name) for name in DATA}
    assert [row[2:] for row in report.aims(found)] == [
        ["50.0 ms, 2.5 times", "**missed**"],
        ["120 ms", "met"],
        ["8%", "**missed**"],
        ["38%", "met"],
        ["390 MB", "met"],
        ["31.5 s", "met"],
        ["9.0 s", "**missed**"],
    ]


def test_the_page_and_its_pictures_are_written(results, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    page = report.write(results, tmp_path / "docs")
    text = page.read_text()
    assert "4 of 7 are met" in text
    assert all(f"`python -m bench --only {name}`" in text for name in DATA)
    for name in ("ack", "path", "throughput", "memory"):
        assert f"(benchmarks/{name}.png)" in text
        assert (tmp_path / "docs" / "benchmarks" / f"{name}.png").stat().st_size > 5000


def test_what_was_not_measured_is_named(tmp_path) -> None:
    page = report.write(Folder(tmp_path / "none"), tmp_path / "docs")
    assert "Not measured yet: ack, path, throughput, memory, start." in page.read_text()


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [numbers.percentile(values, percent) for percent in (0, 50, 99, 100)] == [1, 50, 99, 100]
