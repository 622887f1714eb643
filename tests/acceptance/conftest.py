"""The whole product, once with each pair of database, broker and transport."""

import contextlib
import pathlib
from collections.abc import Iterator

import pytest

from tests import order, services
from tests.acceptance import stack as stacks

_SHARED = pytest.StashKey[contextlib.ExitStack]()


@pytest.fixture(scope="session", params=order.PAIRS)
def _shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[stacks.Stack]:
    folder: pathlib.Path = tmp_path_factory.mktemp("stack")
    with contextlib.ExitStack() as held:
        request.config.stash[_SHARED] = held
        if request.param == "sqlite-valkey-http":
            database = f"sqlite:///{folder / 'threadline.db'}"
            broker = request.getfixturevalue("valkey_url")
        else:
            server = request.getfixturevalue("postgres_url")
            database = held.enter_context(services.postgres_database(server))
            broker = request.getfixturevalue("rabbitmq_url")
        by_socket = request.param.endswith("socket")
        yield held.enter_context(stacks.running(database, broker, folder, socket_mode=by_socket))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The stack ends with the last of its tests: idle, it would slow down all others."""
    pair = order.pair(item.nodeid)
    if pair and (nextitem is None or order.pair(nextitem.nodeid) != pair):
        # Where a server is missing, none was started.
        item.config.stash.get(_SHARED, contextlib.ExitStack()).close()


@pytest.fixture(scope="module")
def _running(_shared: stacks.Stack) -> Iterator[stacks.Stack]:
    """As new for each file."""
    yield _shared
    if _shared.processes:  # Else this was its last file, and it has ended.
        _shared.renew()


@pytest.fixture
def stack(_running: stacks.Stack) -> stacks.Stack:
    """The running product, with no faults and a model that answers at once."""
    _running.clear()
    return _running
