"""Our own rows, for checks that do without them when they cannot be had."""

import pathlib
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db import session
from tasks.resources import Resources
from tasks.settings import Settings


class Unreadable(Exception):
    """The database does not answer, or lacks a table; `bot.doctor.storage` says which."""


def is_absent(settings: Settings) -> bool:
    """Whether a SQLite file is not there yet: connecting would make an empty one."""
    url = sa.make_url(settings.database_url)
    return url.drivername == "sqlite" and not pathlib.Path(url.database or "").exists()


@contextmanager
def reading(resources: Resources) -> Iterator[Session]:
    """A transaction that only looks; raises Unreadable."""
    if is_absent(resources.settings):
        raise Unreadable
    try:
        with session.reading(resources.engine) as opened:
            yield opened
    except sa.exc.SQLAlchemyError as error:
        raise Unreadable from error
