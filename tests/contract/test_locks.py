"""Transactions that meet on PostgreSQL wait for each other in one direction only: no deadlocks."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from db import backends, calls, jobs, leases, line, outcomes, places, postgresql, posts, session
from db.models import Backend, Job, Post, Step
from db.states import JobState, PostKind, PostState, StepState
from tasks.deliver import stage
from tasks.deliver.outcome import Shown
from tasks.infer import stage as infer
from tasks.sweep import sweep
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    Clock,
    Model,
    Stream,
    a_step,
    declare,
    do,
    in_line,
    resources,
    rows,
    set_row,
    streamed,
    streams,
    the,
    until,
)


@pytest.fixture(autouse=True)
def _backend(postgres_engine: sa.Engine) -> None:
    declare(postgres_engine)


def blocked(engine: sa.Engine, work: Future) -> bool:
    """Whether a transaction waits for a lock, or the work is done without waiting."""
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with engine.connect() as connection:
        return work.done() or bool(connection.scalar(waiting))


def test_a_sweep_that_ends_a_job_does_not_cross_a_claim_of_its_step(postgres_engine: sa.Engine):
    engine = postgres_engine
    job = in_line(engine)
    late = Clock(job.deadline + MINUTE)
    with ThreadPoolExecutor(1) as pool, session.transaction(engine) as claiming:
        # What line.claim does, with the sweep in the middle.
        claiming.get_one(Backend, "main", with_for_update={"key_share": True})
        sweeping = pool.submit(sweep, resources(engine, late))
        until(lambda: blocked(engine, sweeping))
        assert claiming.get_one(Job, job.id, with_for_update=True).state is JobState.FAILED
        claiming.commit()
        sweeping.result(timeout=20)
    assert the(engine, Job, job.id).error == "deadline"


def test_a_new_level_does_not_cross_the_news_of_a_broken_server(postgres_engine: sa.Engine):
    engine = postgres_engine
    job = in_line(engine)
    claimed = do(engine, line.claim, "main", NOW, LEASE)
    assert claimed is not None
    paused = threading.Event()

    def trouble() -> None:
        with session.transaction(engine) as pausing:
            backends.pause(pausing, "main", "down", NOW, None, MINUTE)
            pausing.flush()
            paused.set()
            posts.refresh_cards_in(pausing, "main")

    with ThreadPoolExecutor(1) as pool, session.transaction(engine) as finishing:
        done = leases.finish(finishing, claimed, "a", 1, 1, truncated=False, now=NOW)
        assert done is not None
        pausing = pool.submit(trouble)
        assert paused.wait(20)
        until(lambda: blocked(engine, pausing))
        jobs.add_steps(finishing, done.job, "main", 1, [a_step()], NOW)
        finishing.commit()
        pausing.result(timeout=20)
    assert do(engine, calls.progress, the(engine, Job, job.id)) == (1, 2)
    assert the(engine, Backend, "main").trouble == "down"


def test_freeing_two_calls_of_one_person_does_not_cross_the_answer_to_one_of_them(
    postgres_engine: sa.Engine,
):
    engine = postgres_engine
    first, second = sorted((in_line(engine).id, in_line(engine).id))
    claimed = [do(engine, line.claim, "main", NOW, LEASE) for _ in range(2)]
    [late] = [one for one in claimed if one is not None and one.job_id == second]
    with ThreadPoolExecutor(1) as pool, session.transaction(engine) as finishing:
        # What leases.finish does first, with the sweep in the middle.
        finishing.get_one(Job, second, with_for_update=True)
        freeing = pool.submit(do, engine, leases.free_dead, NOW + LEASE, 3)
        until(lambda: blocked(engine, freeing))
        assert leases.finish(finishing, late, "a", 1, 1, truncated=False, now=NOW) is not None
        finishing.commit()
        assert freeing.result(timeout=20) == ["main"]
    assert the(engine, Job, first).state is JobState.WAITING


def test_places_do_not_cross_who_delivers_one_card_after_the_other(postgres_engine: sa.Engine):
    """A card that is held is left for the next time, and with it the place that it would tell."""
    engine = postgres_engine
    told, held = in_line(engine), in_line(engine)
    found = {job.id: places.Place(3, None, None) for job in (told, held)}
    with session.transaction(engine) as delivering:
        delivering.scalars(_card_of(held).with_for_update()).one()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(do, engine, places.write, found).result(timeout=20)
        delivering.scalars(_card_of(told).with_for_update()).one()
    assert [the(engine, Job, job.id).ahead for job in (told, held)] == [3, None]
    do(engine, places.write, found)
    assert the(engine, Job, held.id).ahead == 3


def test_freeing_calls_does_not_cross_who_delivers_one_card_after_the_other(postgres_engine: sa.Engine):
    """The lane goes by when it was asked, and the sweep by who asked."""
    engine = postgres_engine
    shown, freed = (in_line(engine, requester=who, thread_ts="1.0") for who in ("UZOE", "UANNA"))
    for _ in range(2):
        assert do(engine, line.claim, "main", NOW, LEASE) is not None
    work = do(engine, posts.claim, posts.slack_lane("C1"), NOW, LEASE)
    assert work is not None
    assert work.job.id == shown.id
    with ThreadPoolExecutor(1) as pool, session.transaction(engine) as delivering:
        # What tasks.deliver does between two cards, with the sweep in the middle.
        lane = posts.held_lane(delivering, work)
        assert lane is not None
        posts.shown(delivering, work, "1.0", "C1", "digest", NOW)
        freeing = pool.submit(do, engine, leases.free_dead, NOW + LEASE, 3)
        until(lambda: blocked(engine, freeing))
        posts.take_next(delivering, lane, NOW, LEASE)
        delivering.commit()
        assert freeing.result(timeout=20) == ["main"]
    assert {the(engine, Job, job.id).state for job in (shown, freed)} == {JobState.WAITING}
    assert do(engine, posts.is_due, lane.name, NOW + LEASE)


def test_a_stream_that_was_edited_does_not_cross_a_call_of_its_job(postgres_engine: sa.Engine):
    """Both refresh what follows the job: an answer that is there, and a call that is freed."""
    engine = postgres_engine
    job = in_line(engine, thread_ts="1.0")
    do(engine, posts.want, job, PostKind.STREAM, NOW)
    set_row(engine, Post, _id_of(engine, PostKind.CARD), ts="1.1", state=PostState.SHOWN)
    work = do(engine, posts.claim, posts.slack_lane("C1"), NOW, LEASE)
    assert work is not None
    assert work.post.kind is PostKind.STREAM
    with ThreadPoolExecutor(1) as pool, session.transaction(engine) as finishing:
        finishing.get_one(Job, job.id, with_for_update=True)
        recording = pool.submit(do, engine, stage._record, work, Shown("1.2", "C1"), NOW)
        until(lambda: blocked(engine, recording))
        posts.refresh_card(finishing, job.id)
        finishing.commit()
        recording.result(timeout=20)
    after = the(engine, Post, work.post.id)
    assert (after.ts, after.state) == ("1.2", PostState.WANTED)


def _id_of(engine: sa.Engine, kind: PostKind) -> int:
    [post] = rows(engine, Post, kind=kind)
    return post.id


def _card_of(job: Job) -> sa.Select[tuple[Post]]:
    return sa.select(Post).where(Post.job_id == job.id, Post.kind == PostKind.CARD)


def test_an_answer_that_waited_for_the_sweep_finds_its_step_gone(postgres_engine: sa.Engine):
    engine = postgres_engine
    in_line(engine)
    claimed = do(engine, line.claim, "main", NOW, LEASE)
    assert claimed is not None
    with ThreadPoolExecutor(1) as pool, session.transaction(engine) as freeing:
        assert leases.free_dead(freeing, NOW + LEASE, 3) == ["main"]
        freeing.flush()
        late = pool.submit(do, engine, leases.finish, claimed, "late", 1, 1, truncated=False, now=NOW + LEASE)
        until(lambda: blocked(engine, late))
        freeing.commit()
        assert late.result(timeout=20) is None
    step = the(engine, Step, claimed.step_id)
    assert (step.state, step.answer, step.charged) == (StepState.WAITING, "", 0)


def test_a_claim_that_waited_for_a_cancel_takes_nothing(postgres_engine: sa.Engine):
    engine = postgres_engine
    waiting, running = in_line(engine), in_line(engine, steps=2)
    do(
        engine,
        lambda s: s.execute(sa.update(Step).where(Step.job_id == waiting.id).values(asked_at=NOW + MINUTE)),
    )
    assert do(engine, line.claim, "main", NOW, LEASE) is not None
    for job in (running, waiting):
        with ThreadPoolExecutor(1) as pool, session.transaction(engine) as cancelling:
            assert outcomes.cancel(cancelling, job.id, NOW)
            cancelling.flush()
            claiming = pool.submit(do, engine, line.claim, "main", NOW, LEASE)
            until(lambda claiming=claiming: blocked(engine, claiming))
            cancelling.commit()
            assert claiming.result(timeout=20) is None
        assert "waiting" not in {step.state for step in rows(engine, Step, job_id=job.id)}
        assert the(engine, Job, job.id).state is JobState.CANCELLED


def test_a_process_that_freezes_in_a_transaction_does_not_keep_its_locks(
    postgres_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgresql, "_FROZEN_MS", 1500)
    frozen = session.connect(postgres_engine.url.render_as_string(hide_password=False), pool_size=1)
    in_line(postgres_engine)
    holding = sa.orm.Session(frozen)
    assert line.claim(holding, "main", NOW, LEASE) is not None
    # Others wait for the lock, get it once PostgreSQL has ended the silent one, and take the same step.
    assert do(postgres_engine, line.claim, "main", NOW, LEASE) is not None
    with pytest.raises(sa.exc.DBAPIError):
        holding.commit()
    holding.close()
    frozen.dispose()
    assert [step.fence for step in rows(postgres_engine, Step)] == [1]


def test_news_of_a_server_never_cost_the_lease_of_the_call_that_has_them(postgres_engine: sa.Engine):
    """The backend's row is held, perhaps by one who is dead: the call goes on, and says later that all is well."""
    engine = postgres_engine
    job = in_line(engine)
    do(engine, backends.pause, "main", "down", NOW, None, MINUTE)
    worker = resources(engine, Clock(NOW + 2 * MINUTE))
    url = engine.url.render_as_string(hide_password=False)
    worker.__dict__["heartbeats"] = postgresql.connect(url, 2, timedelta(seconds=1))
    first, *others = streamed("It rained ", "for nine days.")

    def answering() -> Iterator[bytes]:
        with session.transaction(engine) as holding:
            holding.get_one(Backend, "main", with_for_update=True)
            yield first
        yield from others

    worker.__dict__["http"] = Model(streams(Stream(answering()))).client()
    server = worker.line.server("main")
    assert server is not None
    with capture_logs() as logged:
        assert infer.serve(worker, server)
    worker.heartbeats.dispose()
    assert "backend.unrecovered" in [each["event"] for each in logged]
    assert the(engine, Job, job.id).result == "It rained for nine days."
    assert the(engine, Backend, "main").trouble is None
