"""By Socket Mode the same payloads get the same answers and rows as by HTTP."""

import asyncio
import logging
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.internals import run_bolt_app, send_response
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.socket import CONNECTIONS
from bot.web import create_web
from db.models import Job
from tests import front_door_rig as rig
from tests import playground_rig, services
from tests.contract.test_front_door_trouble import locked
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door

# What Slack decides anew for each request, and the database for each row.
OF_ITS_OWN = {"id", "source_key", "message_key", "thread_ts", "message_ts", "error_params"}


class Socket:
    """The client's side of a socket: remembers what was acknowledged, and with what."""

    def __init__(self) -> None:
        self.sent: list[SocketModeResponse] = []
        self.logger = logging.getLogger("socket")

    def send_socket_mode_response(self, response: SocketModeResponse) -> None:
        self.sent.append(response)


def by_socket(door: Door, payload: dict[str, Any], attempt: int | None = None) -> list[SocketModeResponse]:
    """What Bolt's adapter sends back for one envelope; nothing means that Slack tries again."""
    socket = Socket()
    request = SocketModeRequest("events_api", "envelope-1", payload, retry_attempt=attempt)
    send_response(socket, request, run_bolt_app(door.app, request), 0.0)
    return socket.sent


def fields(job: Job) -> dict[str, Any]:
    return {name: value for name, value in vars(job).items() if name not in OF_ITS_OWN and name[0] != "_"}


PAIRS = [
    pytest.param(
        lambda door, sent: door.event(sent), lambda: rig.mention("<@U0BOT> 번역 Good morning."), id="mention"
    ),
    pytest.param(
        lambda door, sent: door.event(sent),
        lambda: rig.mention("<@U0BOT>", thread_ts="1763700000.000001"),
        id="thread",
    ),
    pytest.param(lambda door, sent: door.event(sent), rig.direct, id="direct"),
    pytest.param(
        lambda door, sent: door.command(sent), lambda: rig.command("the payload of it"), id="command"
    ),
    pytest.param(lambda door, sent: door.command(sent), lambda: rig.command("help"), id="help"),
    pytest.param(
        lambda door, sent: door.command(sent), lambda: rig.command("sumarize this"), id="unknown recipe"
    ),
    pytest.param(lambda door, sent: door.interaction(sent), rig.shortcut, id="shortcut"),
    pytest.param(
        lambda door, sent: door.event(sent), lambda: rig.direct(subtype="message_changed"), id="edited"
    ),
    pytest.param(lambda door, sent: door.interaction(sent), lambda: rig.press("x"), id="malformed"),
]


@pytest.mark.parametrize(("by_http", "payload"), PAIRS)
def test_the_answers_and_the_rows_are_the_same(door: Door, by_http: Any, payload: Any) -> None:
    """Each way gets a payload of its own, since the same one twice would be one request."""
    answer = by_http(door, payload())
    (acknowledged,) = by_socket(door, payload())

    assert answer.status_code == 200
    assert acknowledged.envelope_id == "envelope-1"
    said = acknowledged.payload or {}
    assert said.get("text", "") == (answer.json()["text"] if "blocks" in said else answer.text)
    jobs = door.jobs()
    assert len(jobs) in {0, 2}
    assert all(fields(job) == fields(jobs[0]) for job in jobs)


def test_the_same_event_by_both_ways_is_one_request(door: Door) -> None:
    """As while an app is moved from one to the other."""
    sent = rig.mention()
    door.event(sent)

    assert len(by_socket(door, sent, attempt=1)) == 1
    assert len(door.jobs()) == 1


def test_what_was_not_saved_is_not_acknowledged(door: Door) -> None:
    """Slack sends an event again; for a command the person is told."""
    with locked(door):
        assert by_socket(door, rig.mention()) == []
        (told,) = by_socket(door, rig.command())

    assert told.payload is not None
    assert "try again" in told.payload["text"]
    assert door.jobs() == []


def test_a_real_socket(sqlite_url: str) -> None:
    """The server opens it when it starts with an app token, and closes it when it ends."""
    with playground_rig.rig() as slack:
        tokens = {
            "slack_app_token": playground_rig.APP_TOKEN,
            "slack_bot_token": playground_rig.TOKEN,
            "slack_api_url": f"{slack.running.url}/api/",
            "slack_signing_secret": "",
        }
        with rig.opened(sqlite_url, **tokens) as door:
            web = create_web(door.resources, door.app)

            def ask() -> None:
                services.wait_for(lambda: slack.look("state")["sockets"] == CONNECTIONS)
                state = slack.look("state")
                channel = next(each["id"] for each in state["channels"] if not each["is_im"])
                user = state["users"][0]["id"]
                slack.act("say", user=user, channel=channel, text=f"<@{state['bot']['id']}> Some text.")
                slack.act("command", user=user, channel=channel, command="/analyze", text="Another text.")
                services.wait_for(lambda: len(door.jobs()) == 2)

            async def serve() -> None:
                async with web.router.lifespan_context(web):
                    await asyncio.to_thread(ask)

            asyncio.run(serve())
            services.wait_for(lambda: slack.look("state")["sockets"] == 0)
            assert {job.text for job in door.jobs()} == {"Some text.", "Another text."}
