"""Whoever holds several rows on PostgreSQL takes them in one order, so that no two of them wait for each other."""

import functools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from db import line, outcomes, posts, preparing, session
from db.line import Claimed
from db.models import Backend, Job, Post, Step
from db.states import JobState, PostKind, PostState, StepState
from tasks.deliver import stage as delivering
from tasks.deliver.outcome import Shown
from tasks.infer import errors
from tasks.infer import stage as inferring
from tasks.sweep import MOST_CLAIMS
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    Clock,
    declare,
    do,
    in_line,
    resources,
    rows,
    set_row,
    the,
    until,
)

OTHER = "other"


@pytest.fixture
def engine(postgres_engine: sa.Engine) -> Iterator[sa.Engine]:
    """A database with two backends, in which there was no deadlock, not even one that was tried again."""
    found = []

    @sa.event.listens_for(postgres_engine, "handle_error")
    def _look(context: sa.engine.ExceptionContext) -> None:
        if isinstance(context.original_exception, psycopg.errors.DeadlockDetected):
            found.append(context.statement)

    declare(postgres_engine)
    declare(postgres_engine, name=OTHER)
    yield postgres_engine
    assert not found


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def waits(engine: sa.Engine, work: Future[Any], count: int = 1) -> None:
    """Until so many transactions wait for a lock, or the work is done without waiting."""
    waiting = sa.text(
        "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE NOT granted AND datname = current_database()"
    )

    def seen() -> bool:
        with engine.connect() as connection:
            return work.done() or (connection.scalar(waiting) or 0) >= count

    until(seen)


def card_of(job: str) -> sa.Select[tuple[Post]]:
    return sa.select(Post).where(Post.job_id == job, Post.kind == PostKind.CARD).with_for_update()


def three(engine: sa.Engine, **changes: Any) -> None:
    """Jobs `a`, `m` and `z`: they came in one order, and their cards lie in the other."""
    for name in "zma":
        in_line(engine, id=name, requester=f"U{name}", **changes)
    for name in "mz":
        do(engine, posts.refresh_card, name)
    as_they_lie(engine)


def as_they_lie(engine: sa.Engine) -> None:
    """From now on PostgreSQL knows how small the tables are, and reads rows in the order in which they lie."""
    do(engine, lambda transaction: transaction.execute(sa.text("ANALYZE")))


def claimed_of(engine: sa.Engine, *ids: str) -> list[Claimed]:
    """The calls of some jobs, claimed; all others wait."""
    found = [do(engine, line.claim, "main", NOW, LEASE) for _ in rows(engine, Step)]
    for step in rows(engine, Step):
        if step.job_id not in ids:
            set_row(engine, Step, step.id, state=StepState.WAITING, lease_until=None)
    return [one for one in found if one is not None and one.job_id in ids]


def test_news_for_all_does_not_cross_who_stops_several(engine: sa.Engine, pool: ThreadPoolExecutor):
    """Whoever stops a thread or deletes their data goes from one job to the next, by id."""
    three(engine)
    do(engine, posts.refresh_card, "a")  # The last one now.
    with session.transaction(engine) as stopping:
        assert outcomes.cancel(stopping, "a", NOW)
        stopping.flush()
        telling = pool.submit(do, engine, posts.refresh_cards_in, "main")
        waits(engine, telling)
        assert outcomes.cancel(stopping, "z", NOW)
        stopping.commit()
        telling.result(timeout=20)


@pytest.mark.parametrize("why", ["overdue", "hopeless"])
def test_news_for_all_does_not_cross_the_sweep_that_ends_several(
    engine: sa.Engine, pool: ThreadPoolExecutor, why: str
):
    three(engine)
    ended = {"deadline": NOW - MINUTE}
    if why == "hopeless":
        # Of a job that is prepared anew, a call of the last attempt may still run.
        ended = {"state": JobState.PREPARING, "claims": MOST_CLAIMS, "lease_until": NOW - MINUTE}
    for name in "za":
        set_row(engine, Job, name, **ended)
    with session.transaction(engine) as holding:
        holding.scalars(card_of("m")).one()
        telling = pool.submit(do, engine, posts.refresh_cards_in, "main")
        waits(engine, telling)
        end = (
            functools.partial(do, engine, outcomes.end_overdue, NOW)
            if why == "overdue"
            else functools.partial(do, engine, preparing.end_hopeless, MOST_CLAIMS, NOW)
        )
        ending = pool.submit(end)
        waits(engine, ending, 2)
        holding.commit()
        telling.result(timeout=20)
        assert sorted(ending.result(timeout=20)) == ["a", "z"]


def test_news_of_two_servers_do_not_cross(engine: sa.Engine, pool: ThreadPoolExecutor):
    """Jobs whose calls were moved have some at each."""
    three(engine, steps=2)
    for step in rows(engine, Step):
        if step.ordinal:
            set_row(engine, Step, step.id, backend=OTHER, turn_id=None)
    for step in rows(engine, Step, job_id="m", backend="main"):
        set_row(engine, Step, step.id, state=StepState.DONE)
    [claimed] = claimed_of(engine, "z")
    do(engine, posts.refresh_card, "z")
    with session.transaction(engine) as holding:
        holding.scalars(card_of("m")).one()
        telling = pool.submit(do, engine, posts.refresh_cards_in, OTHER)
        waits(engine, telling)
        away = errors.Unreachable("away")
        failing = pool.submit(inferring._later, resources(engine, Clock()), "main", claimed, away)
        waits(engine, failing, 2)
        holding.commit()
        telling.result(timeout=20)
        failing.result(timeout=20)
    assert the(engine, Step, claimed.step_id).state is StepState.WAITING


def test_a_call_that_brings_news_does_not_cross_who_stops_several(
    engine: sa.Engine, pool: ThreadPoolExecutor
):
    three(engine)
    [claimed] = claimed_of(engine, "z")
    with session.transaction(engine) as stopping:
        assert outcomes.cancel(stopping, "a", NOW)
        stopping.flush()
        away = errors.Unreachable("away")
        failing = pool.submit(inferring._later, resources(engine, Clock()), "main", claimed, away)
        waits(engine, failing)
        assert outcomes.cancel(stopping, "z", NOW)
        stopping.commit()
        failing.result(timeout=20)
    assert the(engine, Step, claimed.step_id).state is StepState.CANCELLED
    assert the(engine, Backend, "main").trouble == "down"


def streaming(engine: sa.Engine, steps: int = 1) -> Job:
    """A job that has a card and a stream; the card lies behind, as it was edited since."""
    job = in_line(engine, steps, thread_ts="1.0")
    assert do(engine, line.claim, "main", NOW, LEASE) is not None
    do(engine, posts.want, job, PostKind.STREAM, NOW)
    [card] = rows(engine, Post, kind=PostKind.CARD)
    set_row(engine, Post, card.id, ts="1.1", channel="C1", state=PostState.SHOWN)
    as_they_lie(engine)
    return job


def test_places_do_not_cross_a_preview(engine: sa.Engine, pool: ThreadPoolExecutor):
    """A heartbeat refreshes card and stream, and holds no lock on the job."""
    job = streaming(engine, steps=2)
    with session.transaction(engine) as placing:
        # What places.write does, with the heartbeat in the middle.
        assert posts.busy_cards(placing, [job.id]) == set()
        previewing = pool.submit(do, engine, posts.refresh_card, job.id)
        waits(engine, previewing)
        posts.refresh_cards(placing, [job.id])
        placing.commit()
        previewing.result(timeout=20)


def test_a_job_that_moves_does_not_cross_a_preview(engine: sa.Engine, pool: ThreadPoolExecutor):
    job = streaming(engine)
    with session.transaction(engine) as previewing:
        # What a heartbeat does, with the move in the middle.
        previewing.scalars(card_of(job.id)).one()
        moving = pool.submit(do, engine, posts.move, job.id, "D1", "is_archived")
        waits(engine, moving)
        posts.refresh_card(previewing, job.id)
        previewing.commit()
        moving.result(timeout=20)
    assert {post.lane for post in rows(engine, Post)} == {"slack/D1"}


def test_a_card_that_begins_a_stream_does_not_cross_a_call_of_its_job(
    engine: sa.Engine, pool: ThreadPoolExecutor
):
    """A new post refers to its job, for which PostgreSQL waits until nobody holds that."""
    job = in_line(engine, thread_ts="1.0")
    claimed = do(engine, line.claim, "main", NOW, LEASE)
    assert claimed is not None
    work = do(engine, posts.claim, posts.slack_lane("C1"), NOW, LEASE)
    assert work is not None
    with session.transaction(engine) as finishing:
        finishing.get_one(Job, job.id, with_for_update=True)
        shown = Shown("1.1", "C1", "digest", [(PostKind.STREAM, 0)])
        go_on = functools.partial(delivering._go_on, resources(engine, Clock()), work, shown)
        recording = pool.submit(do, engine, go_on)
        waits(engine, recording)
        posts.refresh_card(finishing, job.id)
        finishing.commit()
        recording.result(timeout=20)
    [stream] = rows(engine, Post, kind=PostKind.STREAM)
    assert stream.job_id == job.id
