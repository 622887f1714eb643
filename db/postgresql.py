"""Connections to PostgreSQL that wait for nothing without limit."""

import select
from collections.abc import Generator
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa

T = TypeVar("T")

# Our transactions are short; one that says nothing for this long belongs to a process that froze, perhaps while it
# held the lock that every claim needs. PostgreSQL then ends it.
_FROZEN_MS = 10_000

# A busy server may take longer for an answer than anybody should wait for a lock.
_LEAST_SILENCE = timedelta(seconds=2.5)


def connect(url: str, pool_size: int, patience: timedelta, *, silence: timedelta | None = None) -> sa.Engine:
    """An engine whose users wait `patience` for a lock or a connection, and `silence` for an answer.

    By default that is a little longer than `patience`, so that the server can say why it made us wait.
    """
    seconds = max(1, int(patience.total_seconds()))
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=seconds,
        hide_parameters=True,
        # READ COMMITTED shows each statement what is committed by then, in a transaction or without: two questions
        # less for each look. And a ROLLBACK would make psycopg forget what it has prepared (3.3, _rollback_gen).
        execution_options={"reading": {"isolation_level": "AUTOCOMMIT"}},
        connect_args={
            "connect_timeout": seconds,
            "options": f"-c lock_timeout={seconds * 1000} -c idle_in_transaction_session_timeout={_FROZEN_MS}",
            # A server that is gone without a word is noticed, where the system can, also between our questions.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )
    limit = max(_LEAST_SILENCE, patience * 1.25) if silence is None else silence

    @sa.event.listens_for(engine, "do_connect")
    def _connect(_dialect: sa.Dialect, _record: Any, args: list[Any], named: dict[str, Any]) -> _Connection:
        connection = _Connection.connect(*args, **named)
        connection.silence = limit.total_seconds()
        return connection

    @sa.event.listens_for(engine, "checkout")
    def _ping(connection: Any, *_: Any) -> None:
        # A connection that a restart of the server cut is replaced instead of failing its next user. SQLAlchemy's
        # pool_pre_ping asks each time; but who was cut off has something to read, and is asked then.
        try:
            if connection.has_news():
                engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise sa.exc.InvalidatePoolError from error

    @sa.event.listens_for(engine, "handle_error")
    def _shorten(context: sa.engine.ExceptionContext) -> None:
        # PostgreSQL's DETAIL quotes the whole row that a constraint refused.
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error is not None and error.args:
                error.args = (str(error.args[0]).partition("\n")[0], *error.args[1:])

    return engine


class _Connection(psycopg.Connection[Any]):
    """Ends itself when the server does not answer in time.

    A server that froze, or whose network did, keeps the connection alive: neither keepalives nor TCP's own
    time-outs notice, and the server's statement_timeout runs in the server. Only the one who asks can tell.
    """

    silence = 0.0  # seconds; 0: no limit

    def has_news(self) -> bool:
        """Whether there is something to read before anybody asked: the server's farewell, or, rarely, a notice."""
        socket = select.poll()
        socket.register(self.pgconn.socket, select.POLLIN)
        return bool(socket.poll(0))

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, timeout or self.silence or None)
        except psycopg.OperationalError as error:
            # psycopg's own class for this is not public.
            if timeout is not None or type(error).__name__ != "_WaitTimeout":
                raise
            # Closed, not cancelled: whoever comes next must not wait for the answer that did not come.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server did not answer within {self.silence:g} s") from None
