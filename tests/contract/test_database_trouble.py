"""Deadlocks, cut connections, a frozen server, a busy or full disk: tried again where that is safe, else said."""

import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from celery import Celery

from db import leases, line, outcomes, postgresql, session
from db.models import Job, Step
from db.states import JobState
from tasks import worker
from tasks.catalogue import say
from tests import front_door_rig as rig
from tests.fakes import LEASE, NOW, accepted, at_once, declare, do, in_line, rows, settings, the
from tests.front_door_rig import Door

either_door = rig.either_door


def url_of(engine: sa.Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def cut(engine: sa.Engine, running: sa.orm.Session) -> None:
    """End the connection of a transaction that runs, as a restart of the server does."""
    pid = running.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with psycopg.connect(
        engine.url.set(drivername="postgresql").render_as_string(False), autocommit=True
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_deadlock_is_tried_again(postgres_engine: sa.Engine) -> None:
    """Two transactions that lock two rows crosswise: PostgreSQL ends one, and both get through."""
    pair = [accepted(postgres_engine).id for _ in range(2)]
    both_hold_one = threading.Barrier(2)
    tries = []

    def lock_both(order: int) -> None:
        def work(transaction: sa.orm.Session) -> None:
            tries.append(order)
            first, second = pair[:: 1 if order else -1]
            transaction.get_one(Job, first, with_for_update=True)
            if len(tries) <= 2:
                both_hold_one.wait(20)
            transaction.get_one(Job, second, with_for_update=True).ahead = order

        session.persist(postgres_engine, work)

    at_once(2, lock_both)
    assert sorted(tries) in ([0, 0, 1], [0, 1, 1])


def test_an_answer_outlives_a_connection_that_is_cut_in_mid_transaction(postgres_engine: sa.Engine) -> None:
    """It cost the model server minutes; recording it is tried again, and is done once."""
    declare(postgres_engine)
    job = in_line(postgres_engine)
    claimed = do(postgres_engine, line.claim, "main", NOW, LEASE)
    assert claimed is not None
    cuts = iter([True])

    def record(transaction: sa.orm.Session) -> None:
        done = leases.finish(transaction, claimed, "It began late.", 1, 1, truncated=False, now=NOW)
        assert done is not None
        if next(cuts, False):
            cut(postgres_engine, transaction)
        outcomes.answer(transaction, done.job, done.answers[0], done.truncated, NOW)

    session.persist(postgres_engine, record)
    after = the(postgres_engine, Job, job.id)
    assert (after.state, after.result) == (JobState.ANSWERED, "It began late.")


def test_a_mistake_of_ours_is_not_tried_again(engine: sa.Engine) -> None:
    """Only what passes by itself is."""
    tries = []

    def wrong(transaction: sa.orm.Session) -> None:
        tries.append(1)
        transaction.execute(sa.text("SELECT nonsense FROM nowhere"))

    with pytest.raises(sa.exc.DBAPIError):
        session.persist(engine, wrong)
    assert len(tries) == 1


def test_a_busy_sqlite_is_waited_for_longer_than_a_lock(sqlite_engine: sa.Engine) -> None:
    """An answer is not lost to somebody's long transaction."""
    impatient = session.connect(url_of(sqlite_engine), patience=timedelta(seconds=0.05))
    job = accepted(sqlite_engine)
    tries = []

    def work(transaction: sa.orm.Session) -> None:
        transaction.get_one(Job, job.id).ahead = 7

    @sa.event.listens_for(impatient, "handle_error")
    def _refused(_context: sa.engine.ExceptionContext) -> None:
        tries.append(1)
        if len(tries) == 3:
            holding.rollback()

    holding = sa.orm.Session(sqlite_engine)
    holding.execute(sa.text("SELECT 1"))
    session.persist(impatient, work)
    holding.close()
    impatient.dispose()
    assert the(sqlite_engine, Job, job.id).ahead == 7
    assert len(tries) == 3


class Told:
    """A watch that writes down what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def hold(self, _claim: object, left: timedelta) -> None:
        self.words.append("held")
        assert left == session.FROZEN

    def release(self, _claim: object) -> None:
        self.words.append("over")


def test_the_watch_hears_of_the_write_lock_for_as_long_as_it_is_held(sqlite_engine: sa.Engine) -> None:
    """Once it is had, at each statement, before the commit, and when it is over: also after an error."""
    watch = Told()
    engine = session.connect(url_of(sqlite_engine), patience=timedelta(seconds=0.1), watch=watch)
    with session.transaction(engine) as writing:
        writing.execute(sa.text("SELECT 1"))
        assert watch.words == ["held"] * 2
        writing.execute(sa.text("SELECT 2"))
        assert watch.words == ["held"] * 3
    assert watch.words == [*["held"] * 4, "over"]
    watch.words.clear()
    with pytest.raises(sa.exc.OperationalError), session.transaction(engine) as writing:
        writing.execute(sa.text("SELECT nothing"))
    assert watch.words == ["held", "held", "over"]
    engine.dispose()


def test_the_watch_hears_nothing_of_a_look_or_of_waiting(sqlite_engine: sa.Engine) -> None:
    """Neither holds anybody up, for however long it lasts."""
    watch = Told()
    engine = session.connect(url_of(sqlite_engine), patience=timedelta(seconds=0.1), watch=watch)
    with session.reading(engine) as looking:
        looking.execute(sa.text("SELECT 1"))
    with session.transaction(sqlite_engine) as holding:
        holding.execute(sa.text("SELECT 1"))
        with pytest.raises(sa.exc.OperationalError), session.transaction(engine) as waiting:
            waiting.execute(sa.text("SELECT 1"))
    assert set(watch.words) <= {"over"}
    engine.dispose()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_freezes_is_not_waited_for(postgres_engine: sa.Engine) -> None:
    """Its connection stays open and says nothing; it is given up, and the next one works."""
    silence = timedelta(seconds=0.5)
    engine = postgresql.connect(url_of(postgres_engine), 1, session.PATIENCE, silence=silence)
    with session.transaction(engine) as transaction:
        pid = transaction.scalar(sa.text("SELECT pg_backend_pid()"))
    # The pool holds this very connection; its server process freezes.
    with stopped(pid):
        with pytest.raises(sa.exc.OperationalError, match="did not answer within"):
            session.persist(engine, lambda one: one.scalar(sa.text("SELECT 1")), timedelta(0))
        with session.transaction(engine) as transaction:
            assert transaction.scalar(sa.text("SELECT pg_backend_pid()")) != pid
        # And in the middle of a transaction.
        with pytest.raises(sa.exc.OperationalError, match="did not answer within"):
            freeze_in_mid_transaction(engine)
    assert session.persist(engine, lambda one: one.scalar(sa.text("SELECT 1"))) == 1
    engine.dispose()


@pytest.mark.parametrize("uses", [session.reading, session.transaction])
def test_connections_that_a_restart_cut_while_nobody_used_them_are_replaced(
    postgres_engine: sa.Engine, uses: Callable[[sa.Engine], AbstractContextManager[sa.orm.Session]]
) -> None:
    """Also the second time, and all that the pool holds."""
    engine = session.connect(url_of(postgres_engine), pool_size=2)
    for _ in range(2):
        with session.reading(engine) as first, session.reading(engine) as second:
            held = [one.scalar(sa.text("SELECT pg_backend_pid()")) for one in (first, second)]
        with session.transaction(postgres_engine) as other:
            for pid in held:
                assert other.scalar(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with uses(engine) as first, uses(engine) as second:
            after = [one.scalar(sa.text("SELECT pg_backend_pid()")) for one in (first, second)]
        assert not set(held) & set(after)
    engine.dispose()


def test_a_look_opens_no_transaction_and_what_was_prepared_stays(postgres_engine: sa.Engine) -> None:
    """BEGIN and ROLLBACK cost a question each, and at a ROLLBACK psycopg forgets what it has prepared."""
    engine = session.connect(url_of(postgres_engine), pool_size=1)
    state = sa.text("SELECT state FROM pg_stat_activity WHERE pid = :pid")
    for _ in range(8):
        with session.reading(engine) as looking, session.reading(postgres_engine) as other:
            pid = looking.scalar(sa.text("SELECT pg_backend_pid()"))
            assert other.scalar(state, {"pid": pid}) == "idle"
    with session.reading(engine) as looking:
        assert looking.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements"))
    engine.dispose()


def freeze_in_mid_transaction(engine: sa.Engine) -> None:
    with session.transaction(engine) as transaction:
        pid = transaction.scalar(sa.text("SELECT pg_backend_pid()"))
        assert pid is not None
        with stopped(pid):
            transaction.execute(sa.text("SELECT 1"))


@contextmanager
def full_disk(door: Door) -> Iterator[None]:
    """No room for another row: SQLite's file may not grow; in PostgreSQL a trigger says what the disk would."""
    engine = door.resources.engine
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "checkout")
        def _bound(connection: sa.engine.interfaces.DBAPIConnection, *_: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={pages}")

        @sa.event.listens_for(engine, "checkin")
        def _unbound(connection: sa.engine.interfaces.DBAPIConnection, *_: object) -> None:
            connection.execute("PRAGMA max_page_count=1073741823")

        yield
        sa.event.remove(engine, "checkout", _bound)
        return
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION "
                "'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql"
            )
        )
        connection.execute(
            sa.text("CREATE TRIGGER full_disk BEFORE INSERT ON jobs EXECUTE FUNCTION full_disk()")
        )
    yield
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER full_disk ON jobs"))


def test_nothing_is_acknowledged_while_the_disk_is_full(either_door: Door) -> None:
    """503 to an event, words to a person, no row (I1); with room again, Slack's retry makes the job."""
    long_text = "A long text. " * 3000
    sent = rig.mention(f"<@U0BOT> {long_text}")
    with full_disk(either_door):
        assert either_door.event(sent).status_code == 503
        assert either_door.command(rig.command(long_text)).text == say("en", "intake.not_saved")
        assert either_door.jobs() == []
    assert either_door.event(sent).status_code == 200
    assert len(either_door.jobs()) == 1


def test_a_full_disk_takes_no_answer_and_loses_none(sqlite_engine: sa.Engine) -> None:
    """Recording fails at once, and the step is still its claim's; with room again it is recorded."""
    declare(sqlite_engine)
    in_line(sqlite_engine)
    claimed = do(sqlite_engine, line.claim, "main", NOW, LEASE)
    assert claimed is not None

    def record(transaction: sa.orm.Session) -> None:
        answer = "An answer. " * 10_000
        assert leases.finish(transaction, claimed, answer, 1, 1, truncated=False, now=NOW) is not None

    def record_without_room(transaction: sa.orm.Session) -> None:
        pages = transaction.scalar(sa.text("PRAGMA page_count"))
        transaction.execute(sa.text(f"PRAGMA max_page_count={pages}"))
        try:
            record(transaction)
        finally:
            transaction.connection().connection.execute("PRAGMA max_page_count=1073741823")

    with pytest.raises(sa.exc.OperationalError, match="full"):
        session.persist(sqlite_engine, record_without_room)
    assert [step.answer for step in rows(sqlite_engine, Step)] == [""]
    session.persist(sqlite_engine, record)
    assert [len(step.answer) for step in rows(sqlite_engine, Step)] == [110_000]


@pytest.mark.parametrize("asks_every", [timedelta(milliseconds=1), timedelta(milliseconds=20), None])
def test_sqlite_is_asked_for_its_lock_as_often_as_was_said(
    sqlite_engine: sa.Engine, asks_every: timedelta | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default a ten-thousandth of the patience; nobody goes before others all the time, so no pause is like another."""
    waiting = session.connect(url_of(sqlite_engine), patience=timedelta(seconds=20), asks_every=asks_every)
    slept: list[float] = []
    with sqlite_engine.connect() as holder:
        holder.begin()

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 9:
                holder.rollback()

        monkeypatch.setattr(session.time, "sleep", sleep)
        with session.transaction(waiting) as transaction:
            transaction.connection()
    waiting.dispose()
    usual = (asks_every or timedelta(milliseconds=2)).total_seconds()
    assert len(set(slept)) == 9
    assert all(usual / 2 <= pause <= usual * 3 / 2 for pause in slept)


@pytest.mark.parametrize("process", ["deliver", "infer", "prepare"])
def test_a_card_goes_before_calls_and_they_before_texts(
    process: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    database = f"sqlite:///{tmp_path / 'threadline.db'}"
    monkeypatch.setattr(worker, "_declare", lambda resources: made.append(resources.asks_every) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.run(Celery(), process, settings(database_url=database))
    every = dict(zip(("deliver", "infer", "prepare"), (1, None, 20), strict=True))[process]
    assert made == [every and timedelta(milliseconds=every)]
