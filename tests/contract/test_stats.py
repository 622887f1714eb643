"""Counts over all rows, for metrics, on both databases."""

import pytest
import sqlalchemy as sa

from db import backends, leases, line, outcomes, stats
from db.models import Job
from tests.fakes import LEASE, MINUTE, NOW, SECOND, accepted, declare, do, in_line


def count(engine: sa.Engine, name: str, now=NOW) -> dict[tuple[str, ...], float]:
    _, labels, rows = do(engine, stats.counts, ["main"], now)[name]
    assert all(len(values) == len(labels) for values, _ in rows)
    return {tuple(values): number for values, number in rows}


def test_an_empty_database_counts_nothing(engine: sa.Engine):
    counted = do(engine, stats.counts, ["main"], NOW)
    assert all(help_text.endswith(".") for help_text, _, _ in counted.values())
    assert {number for _, _, rows in counted.values() for _, number in rows} == {0}


def test_a_server_that_is_in_the_settings_no_longer_has_no_limit(engine: sa.Engine):
    for name in ("main", "gone"):
        declare(engine, name=name)
    for metric in ("limit", "backend_failures"):
        assert count(engine, metric).keys() == {("main",)}


def test_everything_is_counted_where_it_stands(engine: sa.Engine):
    declare(engine, limit=3)
    accepted(engine)
    in_line(engine, steps=2)
    failed = in_line(engine)
    do(engine, lambda s: outcomes.fail(s, s.get_one(Job, failed.id), "bug", {}, NOW))
    claimed = do(engine, line.claim, "main", NOW, LEASE)
    assert claimed is not None
    assert count(engine, "jobs") == {
        ("received", "", "mention"): 1,
        ("running", "", "mention"): 1,
        ("failed", "bug", "mention"): 1,
    }
    assert count(engine, "steps") == {("main", "running"): 1, ("main", "waiting"): 1}
    assert count(engine, "limit") == {("main",): 3}
    assert count(engine, "posts") == {("card", "wanted"): 3, ("failure", "wanted"): 1}
    assert count(engine, "oldest_waiting_seconds", NOW + MINUTE) == {("main",): 60}
    assert count(engine, "attempts") == {(): 3}
    do(engine, leases.finish, claimed, "yes", 7, 3, False, NOW)
    assert count(engine, "tokens") == {("in",): 7, ("out",): 3}
    do(engine, backends.pause, "main", "down", NOW, None, MINUTE)
    assert count(engine, "backend_failures") == {("main",): 1}


def test_the_time_to_an_answer_is_summed(engine: sa.Engine):
    declare(engine)
    for seconds in (2, 5):
        job = in_line(engine)
        ended = NOW + seconds * SECOND
        do(
            engine,
            lambda s, job=job, ended=ended: outcomes.answer(
                s, s.get_one(Job, job.id), "y", truncated=False, now=ended
            ),
        )
    cancelled = in_line(engine)
    do(engine, outcomes.cancel, cancelled.id, NOW + MINUTE)
    assert count(engine, "answer_seconds_sum") == {(): pytest.approx(7)}
