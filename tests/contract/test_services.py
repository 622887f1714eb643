"""The servers that the other tests rely on start, answer and leave nothing running."""

import contextlib
import pathlib

import kombu
import psutil
import psycopg
import pytest
import sqlalchemy

from tests import services

BROKERS = ["valkey_url", "redis_url", "rabbitmq_url"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fixture", BROKERS)
def test_a_broker_hands_a_message_over(fixture: str, request: pytest.FixtureRequest) -> None:
    with kombu.Connection(request.getfixturevalue(fixture)) as connection:
        queue = connection.SimpleQueue("services-test", no_ack=True)
        queue.put({"job": 1})
        assert queue.get(timeout=5).payload == {"job": 1}
        queue.close()


def test_a_database_is_empty_and_reads_korean(database_url: str) -> None:
    engine = sqlalchemy.create_engine(database_url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT '안녕'")) == "안녕"
    engine.dispose()


def test_a_killed_server_starts_again_at_the_same_address_with_its_data() -> None:
    import redis

    with services.valkey_server() as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "yes")
            client.execute_command("WAITAOF", 1, 0, 5000)
        server.kill()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"


def test_a_killed_postgres_leaves_no_process_of_its_own() -> None:
    """One that is left holds the last life's memory, and the next does not start beside it."""
    with services.postgres_server() as server, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(contextlib.closing(psycopg.connect(services.dsn(server.url))))
        assert server.process is not None
        children = psutil.Process(server.process.pid).children()
        assert len(children) > 20
        server.kill()
        assert not any(services._lives(child) for child in children)
        server.start()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "start",
    [services.valkey_server, services.redis_server, services.rabbitmq_server, services.postgres_server],
)
def test_a_server_leaves_nothing_behind(start) -> None:
    before = set(psutil.pids())
    with start() as server:
        folder = server.folder
        assert server.process is not None

    def is_gone() -> bool:
        return not [process for process in processes_using(folder) if process.pid not in before]

    # Erlang's helpers end when they see that it did.
    services.wait_for(is_gone, 10, "its processes are gone")
    assert not folder.exists()


def processes_using(folder: pathlib.Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            said = [*process.cmdline(), process.cwd(), process.environ().get("HOME", "")]
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if any(str(folder) in word for word in said):
            found.append(process)
    return found
