"""Connections and transactions: the only place that commits."""

import pathlib
import sqlite3
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
        connect_args={"connect_timeout": seconds, "options": f"-c lock_timeout={seconds * 1000}"},
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
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


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
        hide_parameters=True,
        connect_args={"timeout": patience.total_seconds()},
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
        reading_only = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading_only else "BEGIN IMMEDIATE")

    return engine
