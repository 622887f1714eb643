"""Whoever holds several rows on PostgreSQL takes them in one order, so that no two of them wait for each other."""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from db import backends, jobs, leases, line, outcomes, places, posts, preparing, session, turns
from db.line import Claimed
from db.models import Backend, Job, Lane, Post, Step, Turn
from db.states import JobState, PostKind, PostState, StepState
from db.turns import Rank
from tasks import sweep as sweeping
from tasks.deliver import stage as delivering
from tasks.deliver.outcome import Shown
from tasks.infer import errors
from tasks.infer import stage as inferring
from tasks.linefile import Line, Server
from tasks.resources import Resources
from tasks.sweep import MOST_CLAIMS, sweep
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    Clock,
    at_once,
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

# Of those who meet at any moment: about 2 s.
ROUNDS = 24


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


def with_servers(made: Resources, *names: str) -> Resources:
    """The same, with a line of these servers."""
    servers = [Server(name, f"http://{name}/v1", "", "m", 4, 8192, None) for name in names]
    made.__dict__["line"] = Line(servers, 1.0, 2.0, {})
    return made


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


def test_freeing_calls_of_two_servers_does_not_cross_who_stops_several(
    engine: sa.Engine, pool: ThreadPoolExecutor
):
    for name in "az":
        in_line(engine, id=name)
    claimed = claimed_of(engine, "a", "z")
    [of_a] = [one.step_id for one in claimed if one.job_id == "a"]
    set_row(engine, Step, of_a, backend=OTHER)
    with session.transaction(engine) as stopping:
        assert outcomes.cancel(stopping, "a", NOW)
        stopping.flush()
        freeing = pool.submit(do, engine, leases.free_dead, NOW + LEASE, MOST_CLAIMS)
        waits(engine, freeing)
        assert outcomes.cancel(stopping, "z", NOW)
        stopping.commit()
        assert freeing.result(timeout=20) == ["main", OTHER]


def test_freeing_two_calls_of_one_person_does_not_cross_the_heartbeat_of_one(
    engine: sa.Engine, pool: ThreadPoolExecutor
):
    """The heartbeat that came in time counts: its call is not freed."""
    for name in "az":
        in_line(engine, id=name)
    dead, late = claimed_of(engine, "a", "z")
    with session.transaction(engine) as renewing:
        # What leases.renew does first, with the sweep in the middle.
        renewing.get_one(Step, late.step_id, with_for_update=True)
        freeing = pool.submit(do, engine, leases.free_dead, NOW + LEASE, MOST_CLAIMS)
        waits(engine, freeing)
        assert leases.renew(renewing, late, "so far", 1, NOW, 2 * LEASE)
        renewing.commit()
        assert freeing.result(timeout=20) == ["main"]
    assert the(engine, Step, dead.step_id).state is StepState.WAITING
    renewed = the(engine, Step, late.step_id)
    assert (renewed.state, renewed.fence) == (StepState.RUNNING, late.fence)


def test_a_worker_that_starts_does_not_cross_a_sweep(engine: sa.Engine, pool: ThreadPoolExecutor):
    """Its settings may have the servers in any order."""
    with session.transaction(engine) as holding:
        holding.get_one(Backend, "main", with_for_update=backends.LOCK)
        freeing = pool.submit(do, engine, leases.free_dead, NOW, MOST_CLAIMS)
        waits(engine, freeing)
        declared = [backends.Declared(name, 4) for name in (OTHER, "main")]
        starting = pool.submit(do, engine, backends.declare, declared)
        waits(engine, starting, 2)
        holding.commit()
        assert freeing.result(timeout=20) == []
        starting.result(timeout=20)


def test_moving_a_line_does_not_cross_who_stops_several(engine: sa.Engine, pool: ThreadPoolExecutor):
    """Steps that somebody holds are moved by the next sweep, if they still wait."""
    for name in "za":
        in_line(engine, id=name)
    as_they_lie(engine)
    with session.transaction(engine) as stopping:
        assert outcomes.cancel(stopping, "a", NOW)
        stopping.flush()
        moving = pool.submit(do, engine, line.move, "main", OTHER, None, 1000, NOW)
        waits(engine, moving)
        assert outcomes.cancel(stopping, "z", NOW)
        stopping.commit()
        assert moving.result(timeout=20) == 1
    assert {step.state for step in rows(engine, Step)} == {StepState.CANCELLED}


def test_deleting_what_is_kept_does_not_cross_who_stops_several(engine: sa.Engine, pool: ThreadPoolExecutor):
    """Of what is stopped, one had just ended."""
    for name in "az":
        in_line(engine, id=name)
    do(engine, outcomes.cancel, "a", NOW)
    with session.transaction(engine) as stopping:
        assert not outcomes.cancel(stopping, "a", NOW)
        forgetting = pool.submit(do, engine, jobs.forget, "T1", "UANNA", NOW, NOW)
        waits(engine, forgetting)
        assert outcomes.cancel(stopping, "z", NOW)
        stopping.commit()
        assert forgetting.result(timeout=20) == []
    assert {job.text for job in rows(engine, Job)} == {""}


def test_forgetting_old_jobs_does_not_cross_who_deletes_theirs(engine: sa.Engine, pool: ThreadPoolExecutor):
    """Jobs that somebody holds are forgotten by the next sweep."""
    for name in "za":
        in_line(engine, id=name)
        do(engine, outcomes.cancel, name, NOW)
    as_they_lie(engine)
    with session.transaction(engine) as deleting:
        # What jobs.forget does, with the sweep in the middle.
        deleting.get_one(Job, "a", with_for_update=True)
        forgetting = pool.submit(do, engine, jobs.delete_older, NOW + MINUTE)
        waits(engine, forgetting)
        deleting.get(Job, "z", with_for_update=True)
        deleting.commit()
        assert forgetting.result(timeout=20) == 1
    assert do(engine, jobs.delete_older, NOW + MINUTE) == 1
    assert rows(engine, Job) == []


@pytest.mark.parametrize("came", ["1001", "1010"])
def test_putting_calls_in_line_does_not_cross_freeing_those_of_one_person(
    engine: sa.Engine, pool: ThreadPoolExecutor, came: str
):
    """Whoever asks in two channels may stand in line twice, as owners gave one of them priority."""
    ranks = {f"C{priority}": Rank(priority=priority) for priority in (0, 1)}
    turn_of = {name: do(engine, turns.join, "main", "T1", "UANNA", rank) for name, rank in ranks.items()}
    for name, priority in zip("abcd", came, strict=True):
        in_line(engine, id=name, channel=f"C{priority}")
        [step] = rows(engine, Step, job_id=name)
        set_row(engine, Step, step.id, turn_id=turn_of[f"C{priority}"])
    claimed_of(engine, "c", "d")
    for step in rows(engine, Step, state=StepState.WAITING):
        set_row(engine, Step, step.id, turn_id=None)
    adopt = functools.partial(do, engine, line.adopt, lambda _who, channel: ranks[channel or ""])
    free = functools.partial(do, engine, leases.free_dead, NOW + LEASE, MOST_CLAIMS)
    with session.transaction(engine) as holding:
        holding.get_one(Turn, turn_of["C0"], with_for_update=True)
        # Whose calls came in the order of their turns waits first.
        for count, work in enumerate((free, adopt) if came == "1001" else (adopt, free), 1):
            working = pool.submit(work)
            waits(engine, working, count)
        holding.commit()
    pool.shutdown()
    assert working.exception() is None
    assert {step.turn_id for step in rows(engine, Step)} == set(turn_of.values())
    assert not rows(engine, Step, state=StepState.RUNNING)


def test_a_line_that_moved_holds_nobody_up_while_another_is_waited_for(
    engine: sa.Engine, pool: ThreadPoolExecutor
):
    """A claim at the other backend may hold the job that somebody stops, and they its calls at this one."""
    declare(engine, name="third")
    job = in_line(engine)
    for name in ("main", OTHER):
        set_row(engine, Backend, name, trouble="down", failures=2, not_before=NOW + MINUTE)
    made = with_servers(resources(engine, Clock()), "main", OTHER, "third")
    with session.transaction(engine) as claiming:
        claiming.get_one(Backend, OTHER, with_for_update=backends.LOCK)
        moving = pool.submit(sweeping._keep_line, made, NOW)
        waits(engine, moving)
        stopping = pool.submit(do, engine, outcomes.cancel, job.id, NOW)
        waits(engine, stopping, 2)
        assert stopping.done()
        claiming.commit()
        moving.result(timeout=20)


def test_all_who_refresh_or_show_several_cards_may_meet_at_any_moment(engine: sa.Engine):
    """News of two servers, sweeps, places, previews, and a lane that goes from card to card; no news is lost."""
    names = [f"{letter}{number}" for letter in "zma" for number in range(4)]
    for name in names:
        job = in_line(engine, 2, id=name, requester=f"U{name}", thread_ts="1.0")
        do(engine, posts.want, job, PostKind.STREAM, NOW)
    for step in rows(engine, Step):
        if step.ordinal:
            set_row(engine, Step, step.id, backend=OTHER, turn_id=None)
    as_they_lie(engine)
    before = {card.job_id: card.revision for card in rows(engine, Post, kind=PostKind.CARD)}
    # Else a sweep would move all that waits at the second to the first, which takes its news away.
    made = with_servers(resources(engine, Clock()), "main", OTHER)

    def deliver() -> None:
        clock = Clock(NOW + MINUTE)
        work = do(engine, posts.claim, posts.slack_lane("C1"), clock(), LEASE)
        for _ in names:
            if work is None:
                return
            shown = Shown("1.1", "C1", "digest", [(PostKind.STREAM, 0)])
            go_on = functools.partial(delivering._go_on, resources(engine, clock), work, shown)
            _, work = do(engine, go_on)
        if work is not None:
            do(engine, lambda transaction: posts.let_go(transaction.get_one(Lane, work.post.lane)))

    at_work: tuple[Callable[[int], object], ...] = (
        lambda _: do(engine, posts.refresh_cards_in, "main"),
        lambda _: do(engine, posts.refresh_cards_in, OTHER),
        lambda count: do(engine, posts.refresh_card, names[count % len(names)]),
        lambda count: do(engine, places.write, {name: places.Place(count, None, None) for name in names}),
        lambda _: sweep(made),
        lambda _: deliver(),
    )
    at_once(len(at_work), lambda who: [at_work[who](count) for count in range(ROUNDS)])
    after = {card.job_id: card.revision for card in rows(engine, Post, kind=PostKind.CARD)}
    assert all(after[name] > before[name] + 2 * ROUNDS for name in names)
