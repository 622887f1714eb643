"""The database and the broker."""

import sqlalchemy as sa
from kombu.connection import Connection

from bot.doctor import rows
from bot.doctor.finding import Finding, Findings, note, ok, problem
from db import backends, rules, schema, session
from db.rules import EVERYONE
from tasks.resources import Resources
from tasks.rules import DRAIN

_SECONDS = 3


def database(resources: Resources) -> Findings:
    """Reachable, and with the tables of this version."""
    if rows.is_absent(resources.settings):
        yield problem("database", "doctor.database_absent")
        return
    try:
        with session.reading(resources.engine) as reading:
            connection = reading.connection()
            connection.execute(sa.text("SELECT 1"))
            kind = connection.dialect.name
            applied = schema.applied(connection)
    except sa.exc.SQLAlchemyError as error:
        # The driver's first line: it names the host, and never the password.
        reason = str(getattr(error, "orig", None) or type(error).__name__).partition("\n")[0]
        yield problem("database", "doctor.database_away", reason=reason)
        return
    yield ok("database", "doctor.database", kind=kind)
    yield migrations(applied)
    if kind == "sqlite":
        yield note("database.kind", "doctor.sqlite")


def held(resources: Resources) -> Findings:
    """What the owners hold back: the quickest answer to why nothing moves."""
    try:
        with rows.reading(resources) as reading:
            paused = [each.name for each in backends.every(reading) if each.paused_at is not None]
            draining = (EVERYONE, DRAIN) in rules.about(reading, [EVERYONE])
    except rows.Unreadable:
        # `database` says what is wrong with it.
        return
    if draining:
        yield note("owners.drain", "doctor.draining")
    for name in paused:
        yield note("owners.pause", "doctor.paused", backend=name)


def migrations(applied: frozenset[str]) -> Finding:
    """Whether the tables are those of this code."""
    if applied == schema.newest():
        return ok("database.migrations", "doctor.migrations", revision=", ".join(sorted(applied)))
    if any(not schema.is_known(revision) for revision in applied):
        return problem("database.migrations", "doctor.migrations_newer", revision=", ".join(sorted(applied)))
    return problem("database.migrations", "doctor.migrations_behind")


def broker(resources: Resources) -> Findings:
    """Whether bells can be rung."""
    url = resources.settings.broker_url.get_secret_value()
    try:
        with Connection(
            url, connect_timeout=_SECONDS, transport_options={"socket_timeout": _SECONDS}
        ) as connection:
            connection.ensure_connection(max_retries=1, timeout=_SECONDS)
            kind = connection.transport.driver_name
    except Exception as error:  # noqa: BLE001  # Each transport has errors of its own; all mean "not there".
        yield problem("broker", "doctor.broker_away", reason=type(error).__name__)
        return
    yield ok("broker", "doctor.broker", kind=kind)
