"""Connections and transactions: the only place that commits."""

import pathlib
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import psycopg
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from db import postgresql
from db.models import Base

T = TypeVar("T")

log = structlog.get_logger()

# How long to wait for a lock or a connection, unless somebody is waiting at the door.
PATIENCE = timedelta(seconds=30)

# How long a transaction on SQLite is good for after its last statement: whoever froze is given up, as on PostgreSQL.
FROZEN = timedelta(seconds=10)

# How long a transaction that may be done twice is tried again in, while the database is in trouble that passes.
PERSISTENCE = timedelta(seconds=30)


class Watch(Protocol):
    """Ends this process when it freezes with what others wait for (tasks.deadman)."""

    def hold(self, claim: object, left: timedelta) -> None:
        """This is held, and good for `left` from now; said again, from now on once more."""
        ...

    def release(self, claim: object) -> None:
        """No longer, if it was."""
        ...


def connect(
    url: str,
    pool_size: int = 20,
    patience: timedelta = PATIENCE,
    *,
    silence: timedelta | None = None,
    asks_every: timedelta | None = None,
    watch: Watch | None = None,
) -> sa.Engine:
    """An engine for `url`; opens no connection yet, so it may be made before a fork and used after it.

    Waits `patience` for locks and connections, and `silence` for a server's answer: by default a little longer.
    SQLite is asked for its write lock `asks_every` so often; by default the more often the less patience there is. While
    a transaction has it, `watch` is told.
    Parameters are hidden from errors: they are what people wrote (I10).
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        engine = _connect_sqlite(url, pool_size, patience, asks_every or patience / 10_000)
        if watch is not None:
            _watch_writer(engine, watch)
        return engine
    return postgresql.connect(url, pool_size, patience, silence=silence)


def has_one_writer(engine: sa.Engine) -> bool:
    """Whether whoever writes holds up all others who would: SQLite."""
    return engine.dialect.name == "sqlite"


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[Session]:
    """One short unit of work: commits at the end, rolls back on any error.

    Never hold one open across a call to Slack or a model (invariant I9).
    """
    with _turn(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def persist(engine: sa.Engine, work: Callable[[Session], T], within: timedelta = PERSISTENCE) -> T:
    """What `work(session)` gives in a transaction, tried again while the database is in trouble that passes.

    For work whose own conditions (a fence, a unique key) make it harmless to do twice: a commit whose connection
    broke may have been made all the same. Waits between two tries, so never for work that holds anything up.
    """
    until = time.monotonic() + within.total_seconds()
    pause = 0.05
    while True:
        try:
            with transaction(engine) as session:
                return work(session)
        except DBAPIError as error:
            if time.monotonic() + pause > until or not _passes(error):
                raise
            log.warning("database.again", error=type(error.orig).__name__)
        time.sleep(pause * (0.5 + random.random()))  # noqa: S311  # Not a secret: only uneven.
        pause = min(2 * pause, 1.0)


def _passes(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed in a moment: another one was preferred, or the server is away."""
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    if not isinstance(error.orig, psycopg.OperationalError | psycopg.InternalError):
        return False
    state = error.orig.sqlstate
    # Without a state it is the connection that failed. PostgreSQL, appendix A: 40 is a deadlock or a conflict, 57P
    # a server that stops or starts, 53300 too many connections, 25P03 our own freezing in mid-transaction.
    return state is None or state.startswith(("40", "57P")) or state in {"53300", "25P03"}


@contextmanager
def _turn(engine: sa.Engine) -> Iterator[None]:
    """On SQLite, one thread of a process at a time asks for the write lock: its waiters have no queue."""
    turn: threading.Lock | None = engine.get_execution_options().get("turn")
    if turn is None:
        yield
        return
    if not turn.acquire(timeout=engine.get_execution_options()["patience"].total_seconds()):
        raise sa.exc.TimeoutError("the database is busy: another thread has not ended its transaction")
    try:
        yield
    finally:
        if watch := engine.get_execution_options().get("watch"):
            watch.release(engine)
        turn.release()


@contextmanager
def reading(engine: sa.Engine) -> Iterator[Session]:
    """To look only: on SQLite a transaction without the write lock, on PostgreSQL each statement by itself."""
    with (
        engine.connect().execution_options(**engine.get_execution_options()["reading"]) as connection,
        Session(connection, expire_on_commit=False) as session,
    ):
        yield session


def changed(session: Session, statement: sa.Update, values: dict[str, Any]) -> bool:
    """Whether an UPDATE of one row found it as its condition says."""
    result = session.execute(statement, values)
    assert isinstance(result, sa.CursorResult)
    return result.rowcount == 1


def add_if_missing(session: Session, row: Base) -> bool:
    """Insert a row unless one with the same key is there, also when two processes try at once."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def _connect_sqlite(url: str, pool_size: int, patience: timedelta, asks_every: timedelta) -> sa.Engine:
    path = sa.make_url(url).database
    if path:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"timeout": patience.total_seconds()},
        execution_options={"turn": threading.Lock(), "patience": patience, "reading": {"waits": False}},
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def _tune(connection: sqlite3.Connection, _record: Any) -> None:
        # We emit BEGIN ourselves, below: the driver's own begins too late to be a lock.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")
        # FULL: what was acknowledged survives a power cut, not only the death of a process (I1).
        connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A write lock taken at the start waits its turn; one taken half-way through fails with "database is locked".
        if connection.get_execution_options().get("waits", True):
            _begin_immediate(connection, patience, asks_every)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _watch_writer(engine: sa.Engine, watch: Watch) -> None:
    """All others wait for who has the write lock, also when it is frozen; `_turn` tells when it has it no longer."""
    engine.update_execution_options(watch=watch)

    def goes_on(connection: sa.Connection, *_: Any) -> None:
        driver = connection.connection.dbapi_connection
        if connection.get_execution_options().get("waits", True) and driver and driver.in_transaction:
            watch.hold(engine, FROZEN)

    # After the listener that takes the lock, at each statement, and when it is all to be synced.
    for event in ("begin", "before_cursor_execute", "commit"):
        sa.event.listen(engine, event, goes_on)


def _begin_immediate(connection: sa.Connection, patience: timedelta, asks_every: timedelta) -> None:
    """Take SQLite's write lock. Whoever asks more often is served before others.

    With 2 s of patience that is every 0.2 ms: the front door, where Slack waits 3 s, goes before workers.
    SQLite's own waiting sleeps longer the longer it has waited, up to 100 ms: there the front door lost.
    """
    pause = asks_every.total_seconds()
    until = time.monotonic() + patience.total_seconds()
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < until:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                time.sleep(pause * (0.5 + random.random()))  # noqa: S311  # Not a secret: only uneven.
            else:
                return
        # For the last time, and through SQLAlchemy, whose error callers know.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        cursor.execute(f"PRAGMA busy_timeout={int(patience.total_seconds() * 1000)}")
        cursor.close()
