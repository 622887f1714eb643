"""The database or the broker is away: nothing is acknowledged without a row, and nobody waits for a bell."""

import asyncio
import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from bot.listeners import command
from bot.web import create_web
from db import session
from db.models import Job
from tasks.bell import Bell
from tasks.catalogue import say
from tests import front_door_rig as rig
from tests import playground_rig, services
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door


@pytest.fixture
def either_door(migrated_url: str) -> Iterator[Door]:
    """One that soon gives up."""
    with rig.opened(migrated_url, patience=rig.IMPATIENCE) as made:
        yield made


# A call that ignored its patience would wait 30 seconds (db.session.PATIENCE) and more.
pytestmark = pytest.mark.timeout(20)


@contextmanager
def locked(door: Door) -> Iterator[None]:
    """Somebody else holds the tables for longer than anybody at the door would wait."""
    url = door.resources.engine.url
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    with psycopg.connect(services.dsn(url.render_as_string(hide_password=False))) as other:
        other.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


@contextmanager
def without_tables(door: Door) -> Iterator[None]:
    """A database that was never migrated, or another one."""
    with door.resources.engine.connect() as connection:
        connection.execute(sa.text("ALTER TABLE jobs RENAME TO gone"))
        connection.commit()
    yield
    with door.resources.engine.connect() as connection:
        connection.execute(sa.text("ALTER TABLE gone RENAME TO jobs"))
        connection.commit()


@contextmanager
def silent_server() -> Iterator[socket.socket]:
    """It takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener


@pytest.fixture(params=[locked, without_tables])
def trouble(request: pytest.FixtureRequest) -> Callable[[Door], Any]:
    return request.param


@pytest.mark.parametrize("sent", [rig.mention(), rig.direct()], ids=["mention", "direct"])
def test_an_event_is_not_acknowledged_so_that_slack_sends_it_again(
    either_door: Door, trouble: Callable[[Door], Any], sent: dict[str, Any]
) -> None:
    """503; and when the database is back, Slack's retry makes the job."""
    with trouble(either_door):
        assert either_door.event(sent).status_code == 503
    assert either_door.logged[-1]["event"] == "request.not_saved"
    assert (either_door.jobs(), either_door.bell.rings) == ([], [])

    assert either_door.event(sent, x_slack_retry_num="1").status_code == 200
    assert len(either_door.jobs()) == 1


@pytest.mark.parametrize(
    ("text", "language"), [("Some text to analyze.", "en"), ("분석할 글이 여기에 있습니다.", "ko")]
)
def test_a_command_tells_the_person(
    either_door: Door, trouble: Callable[[Door], Any], text: str, language: str
) -> None:
    """Slack does not send a command again, so the person has to; said in the language they wrote in."""
    with trouble(either_door):
        answer = either_door.command(rig.command(text))

    assert (answer.status_code, answer.text) == (200, say(language, "intake.not_saved"))
    assert (either_door.jobs(), either_door.bell.rings) == ([], [])


def test_the_shortcut_and_the_button_tell_the_person(door: Door) -> None:
    """By their response_url, the only way to speak to somebody who pressed something."""
    door.event(rig.mention())
    job = door.job()
    door.change(job, state="failed")
    with playground_rig.receiving() as slack, locked(door):
        door.interaction(rig.shortcut(response_url=slack.url))
        door.interaction(rig.press(f"{job.id}:1", response_url=slack.url))
        told = [json.loads(slack.next().body)["text"] for _ in range(2)]

    assert told == [say("en", "intake.not_saved")] * 2
    assert [each.attempt for each in door.jobs()] == [1]


def test_help_needs_no_database(door: Door, trouble: Callable[[Door], Any]) -> None:
    """It is answered from what is known already."""
    with trouble(door):
        answer = door.command(rig.command("help"))

    assert "summarize" in answer.json()["text"]


@pytest.mark.parametrize("port", ["9", "silent"])
def test_a_database_that_is_gone_or_silent(port: str) -> None:
    """A refused connection, or one that is never answered: the engine's patience ends it, after one try."""
    with silent_server() as listener:
        at = port if port == "9" else str(listener.getsockname()[1])
        with rig.opened(f"postgresql://threadline@127.0.0.1:{at}/threadline") as door:
            # The recipes are looked at once, and then not for a while.
            door.resources.own_recipes.look()
            connections(listener)
            assert door.event(rig.mention()).status_code == 503
            taken = connections(listener)
            answer = door.command(rig.command("Some text to analyze."))
            assert answer.text == say("en", "intake.not_saved")
            assert connections(listener) == taken


def connections(listener: socket.socket) -> int:
    """How many have come since the last count."""
    listener.setblocking(False)
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_the_bell_is_rung_after_the_commit(migrated_url: str) -> None:
    """A worker that is quicker than we are must find the row."""
    looking = session.connect(migrated_url)
    seen: list[bool] = []

    class LookingBell(rig.RecordingBell):
        def ring_prepare(self, job_id: str) -> None:
            with session.reading(looking) as reading:
                seen.append(reading.get(Job, job_id) is not None)

    with rig.opened(migrated_url, bell=LookingBell()) as door:
        door.event(rig.mention())
        door.command(rig.command())
        door.interaction(rig.shortcut())
        door.client.post("/api/analyses", json={"text": "A text."})
        job = door.jobs()[0]
        door.change(job, state="failed")
        door.interaction(rig.press(f"{job.id}:1", job.requester, job.team))
    looking.dispose()

    assert seen == [True] * 5


def test_a_broker_that_is_gone_changes_nothing(sqlite_url: str) -> None:
    """The row is there, the request acknowledged, and the sweep will ring."""
    with rig.opened(sqlite_url, bell=False) as door:
        assert door.event(rig.mention()).status_code == 200
        assert door.command(rig.command()).content == b""
        assert len(door.jobs()) == 2

        services.wait_for(lambda: "bell.unheard" in {line["event"] for line in door.logged}, 15)
        forget(door)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_hangs_is_not_waited_for(sqlite_url: str, scheme: str) -> None:
    """The answer comes while the bell's own thread still waits for the broker."""
    with silent_server() as listener:
        address = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/0"
        with rig.opened(sqlite_url, bell=False, broker_url=address) as door:
            assert door.event(rig.mention()).status_code == 200

            bell = door.resources.bell
            assert isinstance(bell, Bell)
            assert bell._unsent.unfinished_tasks == 2
            assert len(door.jobs()) == 1
            forget(door)


def forget(door: Door) -> None:
    """Let the bell's thread, which ends with the process, find nothing more to do."""
    unsent = door.resources.bell._unsent
    while not unsent.empty():
        unsent.get_nowait()


def test_bells_that_are_not_sent_yet_get_a_moment_when_web_is_told_to_end(sqlite_url: str) -> None:
    """In the application's own end: Uvicorn passes the signal on, and nothing runs after that."""
    flushed = []

    class LastBell(rig.RecordingBell):
        def flush(self, limit: timedelta) -> None:
            flushed.append(limit)

    async def live(web: FastAPI) -> None:
        async with web.router.lifespan_context(web):
            assert flushed == []

    with rig.opened(sqlite_url, bell=LastBell()) as door:
        asyncio.run(live(create_web(door.resources, door.app)))
    assert flushed == [timedelta(seconds=2)]


def test_a_flood_of_bells_is_dropped_not_awaited(sqlite_url: str) -> None:
    """With the broker away for long, a full queue of bells must not stop the door."""
    with rig.opened(sqlite_url, bell=False) as door:
        bell = door.resources.bell
        bell._start = lambda: None  # Nobody empties the queue.
        while not bell._unsent.full():
            bell._unsent.put_nowait(("prepare", "x"))

        assert door.event(rig.mention()).status_code == 200
        assert "bell.dropped" in {line["event"] for line in door.logged}
        assert len(door.jobs()) == 1


def test_errors_of_the_database_do_not_quote_what_people_wrote(either_door: Door) -> None:
    """The statement may stand in a traceback; its parameters may not (I10)."""
    either_door.event(rig.mention("<@U0BOT> swordfish and other words"))
    job = either_door.job()
    with (
        pytest.raises(sa.exc.IntegrityError) as caught,
        session.transaction(either_door.resources.engine) as rows,
    ):
        rows.execute(sa.insert(Job).values(id=job.id, text="swordfish"))

    assert "swordfish" not in str(caught.value)


def test_a_bug_in_a_listener_is_logged_without_the_request(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500, so that Slack sends an event again once we are mended; the traceback, and nothing of the payload."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "answer", broken)

    assert door.command(rig.command("swordfish and other words")).status_code == 500
    (line,) = door.logged
    assert (line["event"], type(line["exc_info"])) == ("listener.broke", ZeroDivisionError)
    assert "swordfish" not in repr(door.logged)
