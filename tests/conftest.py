"""Fixtures for every layer: servers (once per session, started when first asked for) and fresh databases."""

import gc
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
import structlog

from db import session
from db.__main__ import upgrade
from tests import order, services

# Everywhere as Hypothesis does it where it sees CI: the same examples each time, and no limit to how long one takes.
hypothesis.settings.load_profile("ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: order.place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> order.ByStack | None:
    return order.ByStack(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def _guardian() -> Iterator[None]:
    yield
    services.dismiss_guardian()


@pytest.fixture(scope="session", autouse=True)
def _plain_tracebacks() -> None:
    """By default structlog draws them with their local variables, which takes a second and more for each."""
    structlog.configure(
        processors=[
            *structlog.get_config()["processors"][:-1],
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )


@pytest.fixture(scope="session", autouse=True)
def _frozen() -> None:
    """What is imported by now stays: garbage is looked for in the rest only, and so in a moment."""
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _collected(_frozen: None) -> Iterator[None]:
    """What a file of tests leaves open fails there, not in whichever test runs when garbage is next collected."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The default broker of acceptance tests: always there."""
    with services.valkey_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with services.redis_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    with services.rabbitmq_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's own database, from which tests make others; they use `database_url`."""
    with services.postgres_server() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    """An empty database of each kind; nothing is migrated."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'threadline.db'}"
        return
    with services.postgres_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("migrated") / "threadline.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _migrated_postgres(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database: copying it is quicker than migrating another."""
    with services.postgres_database(postgres_url) as url:
        upgrade(url)
        yield url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    """A fresh migrated database of each kind, to be opened."""
    if request.param == "sqlite":
        path = tmp_path / "threadline.db"
        shutil.copyfile(request.getfixturevalue("_migrated_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    template = request.getfixturevalue("_migrated_postgres")
    with services.postgres_database(request.getfixturevalue("postgres_url"), template) as url:
        yield url


@pytest.fixture
def sqlite_engine(_migrated_sqlite: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[sa.Engine]:
    """A fresh migrated SQLite database."""
    path = tmp_path / "threadline.db"
    shutil.copyfile(_migrated_sqlite, path)
    engine = session.connect(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str, _migrated_postgres: str) -> Iterator[sa.Engine]:
    """A fresh migrated PostgreSQL database."""
    with services.postgres_database(postgres_url, template=_migrated_postgres) as url:
        engine = session.connect(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> sa.Engine:
    """A fresh migrated database of each kind."""
    name = "sqlite_engine" if request.param == "sqlite" else "postgres_engine"
    made: sa.Engine = request.getfixturevalue(name)
    return made
