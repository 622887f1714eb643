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


def seen(card: float, stop: float) -> dict:
    some = {"count": 20, "p50": 0.01, "p99": 0.9}
    return {
        "card": {**some, "p95": card, "max": 1.0},
        "stop": {**some, "p95": 0.5, "max": stop},
        "refused": 0,
        "generator_late_p99": 0.001,
    }


STAGE = {"p50": 0.02}
ACK_CASE = {"database": "sqlite", "workers": "working", "jobs_done": 10, "jobs_left": 2990}
PATH_CASE = {"database": "sqlite", **side(0.2), "p50": 0.1204, "stages": dict.fromkeys("abcde", STAGE)}
RATES = {"slack_per_second": 20.0, "api_per_second": 90.0, "chain_per_second": 240.0, "refused": 3}
COURSE = [[0.0, 1], [1.0, 3]]


def trace(p95: float | None, light_p95: float, answered: float = 1.0) -> dict:
    return {
        "answered": answered,
        "refused": 4,
        "seconds": 63.0,
        "p50": 2.0,
        "p95": p95,
        "light_p95": light_p95,
        "light_waits": [1.0, light_p95, None],
        "peak": 7,
        "busy": 0.98,
        "jain": 0.99,
        "jain_cost": 0.985,
        "in_flight": COURSE,
    }


def contender(light_p95: float, answered: float = 1.0) -> dict:
    never = None if answered < 1 else 9.0
    flood = trace(never, light_p95, answered)
    return {"calm": trace(3.0, 4.0), "flood": flood, "backlog": trace(never, 9.0, answered)}


def stream(rate: float) -> dict:
    limits = [[0.0, 2], [9.0, 5]]
    return {
        "tokens_per_second": rate,
        "refused_share": 0.004,
        "busy": 0.99,
        "limits": limits,
        "in_flight": COURSE,
        "to": 149.5,
    }


LINE_CASE = {
    "profile": "fragile",
    "calls": 6,
    "calls_per_second": 2.9,
    "call_seconds": {"p5": 1.0, "p50": 1.8, "p95": 4.5},
    "contenders": {
        "oracle": contender(5.0),
        "naive": contender(2.0, answered=0.55),
        "celery": {"broke": "RuntimeError: it broke"},
        "fixed": contender(5.0),
        "auto": contender(7.0),
    },
    "streams": {"oracle": stream(232), "fixed": stream(230), "auto": stream(212)},
}
CLAIMS = {"database": "postgresql", "processes": 1, "claim_p99": 0.004}
DATA = {
    "ack": {
        "rate": 100,
        "seconds": 30,
        "blocks": 6,
        "cases": [{**ACK_CASE, "threadline": side(0.050), "bolt": side(0.020)}],
    },
    "path": {"requests": 60, "cases": [PATH_CASE]},
    "card": {
        "rate": 50,
        "seconds": 20,
        "blocks": 4,
        "channels": 150,
        "cases": [
            {"database": "sqlite", "jobs_left": 1300, "threadline": seen(0.65, 2.1), "bolt": seen(0.04, 0.1)}
        ],
    },
    "rates": {
        "seconds": 6,
        "waiting": 200,
        "channels": 150,
        "cases": [
            {
                "database": "sqlite",
                "rate": 5,
                "p50": 0.05,
                "p95": 0.0901,
                "refused": 0,
                "cores": 0.05,
                "cpu_ms": {"web": 10.0},
            },
            {
                "database": "postgresql",
                "rate": 50,
                "p50": 0.5,
                "p95": 2.3001,
                "refused": 1,
                "cores": 1.98,
                "cpu_ms": {"web": 20.0, "database": 35.5},
            },
        ],
    },
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
    "line": {
        "people": 24,
        "seconds": {"trace": 60, "stream": 150, "stream_warm": 60},
        "litellm": None,
        "together": 1,
        "cases": [LINE_CASE],
    },
    "claims": {
        "round": 480,
        "people": 24,
        "cases": [
            {**CLAIMS, "waiting": 1000, "per_second": 640.0, "claim_p50": 0.001},
            {**CLAIMS, "waiting": 1000, "per_second": 710.0, "claim_p50": 0.002, "processes": 2},
            {**CLAIMS, "waiting": 1_000_000, "per_second": 480.0, "claim_p50": 0.0025},
        ],
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
        ["650 ms", "met"],
        ["2,100 ms", "**missed**"],
        ["8%", "**missed**"],
        ["38%", "met"],
        ["390 MB", "met"],
        ["31.5 s", "met"],
        ["9.0 s", "**missed**"],
        ["100.0%", "met"],
        ["98.0%", "met"],
        ["92.2%", "**missed**"],
        ["0.40%", "met"],
        ["0.990", "met"],
        ["1.75 times", "**missed**"],
        ["710", "met"],
        ["2.50 times", "**missed**"],
    ]


def test_an_aim_of_the_line_names_the_worst_case(results) -> None:
    found = {name: results.load(name) for name in DATA}
    assert any(row[0].endswith("(the worst: fragile, auto)") for row in report.aims(found))


def test_a_contender_is_told_with_what_it_left_unanswered(results, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    text = report.write(results, tmp_path / "docs").read_text()
    lines = text.splitlines()
    naive, celery, two, litellm = (
        next(line for line in lines if line.startswith(f"| {name}"))
        for name in ("a web service", "plain Celery, one", "plain Celery, two", "LiteLLM's router")
    )
    assert "55.0%" in naive
    assert naive.count("never") == 2
    assert "| broke |" in celery
    assert "| not measured |" in two
    assert "| not installed |" in litellm


def test_the_page_and_its_pictures_are_written(results, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    page = report.write(results, tmp_path / "docs")
    text = page.read_text()
    assert "10 of 17 are met" in text
    assert all(f"`python -m bench --only {name}`" in text for name in DATA)
    for name in ("ack", "path", "rates", "throughput", "memory", "line-in-flight", "line-waits", "line-auto"):
        assert f"(benchmarks/{name}.png)" in text
        assert (tmp_path / "docs" / "benchmarks" / f"{name}.png").stat().st_size > 5000


def test_cores_kept_busy_stand_beside_the_time_until_the_card(results, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    lines = report.write(results, tmp_path / "docs").read_text().splitlines()
    assert "| SQLite | 5 | 50.0 ms | 90.1 ms | 0 | 10.0 | - | 10.0 | 0.05 |" in lines
    assert "| PostgreSQL | 50 | 500 ms | 2,300 ms | 1 | 20.0 | 35.5 | 55.5 | 1.98 |" in lines


def test_what_was_not_measured_is_named(tmp_path) -> None:
    page = report.write(Folder(tmp_path / "none"), tmp_path / "docs")
    names = "ack, path, card, rates, throughput, memory, start, line, claims, redaction, cutting, extract"
    assert f"Not measured yet: {names}." in page.read_text()


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [numbers.percentile(values, percent) for percent in (0, 50, 99, 100)] == [1, 50, 99, 100]


def test_what_is_hidden_is_told_in_shares_and_a_piece_over_its_budget_is_an_aim_that_is_missed(
    tmp_path,
) -> None:
    counts = {"values": 8, "exact": 5, "hidden": 6, "beside": 5, "wrong": 4}
    part = {"kinds": {"PHONE": counts}, "all": counts}
    lines = {"held_out": 90, "hard": 20, "dev": 150}
    case = {
        "count": "estimate",
        "documents": 10_000,
        "characters": 5,
        "pieces": 7,
        "over": 1,
        "lost": 0,
        "seconds": 9,
    }
    about = {"machine": MACHINE, "command": "x", "seed": 1, "quick": False, "seconds": 3}
    results = Folder(tmp_path / "results")
    data = {"held_out": part, "hard": part, "dev": part, "lines": lines, "characters_per_second": 500_000.0}
    results.save("redaction", {**about, "data": data})
    results.save("cutting", {**about, "data": {"cases": [case]}})
    said = report.write(results, tmp_path / "docs").read_text()
    assert "| held out | PHONE | 8 | 75.0% | 62.5% | 60.0% |" in said
    assert "| Pieces over their budget, 10,000 random documents | 0 | 1 |" in said
