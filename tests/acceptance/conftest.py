"""The whole product, once with each pair of database, broker and transport."""

import pathlib
from collections.abc import Iterator

import pytest

from tests import services
from tests.acceptance import stack as stacks


@pytest.fixture(scope="module", params=["sqlite-valkey-http", "postgresql-rabbitmq-socket"])
def _running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[stacks.Stack]:
    folder: pathlib.Path = tmp_path_factory.mktemp("stack")
    if request.param == "sqlite-valkey-http":
        broker = request.getfixturevalue("valkey_url")
        with stacks.running(
            f"sqlite:///{folder / 'threadline.db'}", broker, folder, socket_mode=False
        ) as running:
            yield running
        return
    broker, server = request.getfixturevalue("rabbitmq_url"), request.getfixturevalue("postgres_url")
    with (
        services.postgres_database(server) as database,
        stacks.running(database, broker, folder, socket_mode=True) as running,
    ):
        yield running


@pytest.fixture
def stack(_running: stacks.Stack) -> stacks.Stack:
    """The running product, with no faults and a model that answers at once."""
    _running.clear()
    return _running
