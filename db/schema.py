"""Which migrations a database has, and which this code brings."""

import pathlib

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

MIGRATIONS = pathlib.Path(__file__).with_name("migrations")


def newest() -> frozenset[str]:
    """The revision that a database of this code stands at."""
    return frozenset(ScriptDirectory(str(MIGRATIONS)).get_heads())


def applied(connection: sa.Connection) -> frozenset[str]:
    """The revision that a database stands at; empty before its first migration."""
    return frozenset(MigrationContext.configure(connection).get_current_heads())


def is_known(revision: str) -> bool:
    """Whether this code has that migration: it lacks those of a newer version."""
    return revision in {each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
