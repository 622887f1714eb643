"""Connections and transactions: the only place that commits."""

import pathlib
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import Base

# How long to wait for a lock or a connection, unless somebody is waiting at the door.
PATIENCE = timedelta(seconds=30)


# Our transactions are short; one that says nothing for this long belongs to a process that froze, perhaps while it
# held the lock that every claim needs. PostgreSQL then ends it.
_FROZEN_MS = 10_000


def connect(url: str, pool_size: int = 20, patience: timedelta = PATIENCE) -> sa.Engine:
    """An engine for `url`; opens no connection yet, so it may be made before a fork and used after it.

    Parameters are hidden from errors: they are what people wrote (I10).
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        return _connect_sqlite(url, pool_size, patience)
    seconds = max(1, int(patience.total_seconds()))
    # pre_ping: a connection that a restart of the server cut is replaced instead of failing its next user.
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": seconds,
            "options": f"-c lock_timeout={seconds * 1000} -c idle_in_transaction_session_timeout={_FROZEN_MS}",
            # A server that is gone without a word is noticed, where the system can: else a read waits for ever.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )

    @sa.event.listens_for(engine, "handle_error")
    def _shorten(context: sa.engine.ExceptionContext) -> None:
        # PostgreSQL's DETAIL quotes the whole row that a constraint refused.
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error is not None and error.args:
                error.args = (str(error.args[0]).partition("\n")[0], *error.args[1:])

    return engine


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[Session]:
    """One short unit of work: commits at the end, rolls back on any error.

    Never hold one open across a call to Slack or a model (invariant I9).
    """
    with _turn(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


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
        turn.release()


@contextmanager
def reading(engine: sa.Engine) -> Iterator[Session]:
    """A transaction that only looks: on SQLite it takes no write lock, and it never commits."""
    with (
        engine.connect().execution_options(reading=True) as connection,
        Session(connection, expire_on_commit=False) as session,
    ):
        yield session


def add_if_missing(session: Session, row: Base) -> bool:
    """Insert a row unless one with the same key is there, also when two processes try at once."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def _connect_sqlite(url: str, pool_size: int, patience: timedelta) -> sa.Engine:
    path = sa.make_url(url).database
    if path:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"timeout": patience.total_seconds()},
        execution_options={"turn": threading.Lock(), "patience": patience},
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
        if connection.get_execution_options().get("reading", False):
            connection.exec_driver_sql("BEGIN")
        else:
            _begin_immediate(connection, patience)

    return engine


def _begin_immediate(connection: sa.Connection, patience: timedelta) -> None:
    """Take SQLite's write lock. Whoever has less patience asks more often, and so is served before others.

    With 2 s that is every 0.2 ms: the front door, where Slack waits 3 s, goes before workers, which ask every
    3 ms. SQLite's own waiting sleeps longer the longer it has waited, up to 100 ms: there the front door lost.
    """
    pause = patience.total_seconds() / 10_000
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
