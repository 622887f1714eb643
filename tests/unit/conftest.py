"""What a stage works with, made of a SQLite file and fakes: no sockets, no broker."""

import pytest
import sqlalchemy as sa

from tasks.resources import Resources
from tests import fakes


@pytest.fixture
def clock() -> fakes.Clock:
    return fakes.Clock()


@pytest.fixture
def resources(sqlite_engine: sa.Engine, clock: fakes.Clock) -> Resources:
    """Resources with a fake Slack and bell, and the backend declared."""
    fakes.declare(sqlite_engine)
    return fakes.resources(sqlite_engine, clock)


@pytest.fixture
def slack(resources: Resources) -> fakes.Slack:
    made: fakes.Slack = resources.__dict__["slack"]
    return made


@pytest.fixture
def bell(resources: Resources) -> fakes.Bell:
    made: fakes.Bell = resources.__dict__["bell"]
    return made
