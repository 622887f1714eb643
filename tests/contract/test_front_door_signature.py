"""Who may knock: signed by Slack within five minutes, and nobody else, whatever they send."""

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from bot.web import create_web
from tests import front_door_rig as rig
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door

BODY = json.dumps(rig.mention()).encode()


def knock(door: Door, body: bytes, headers: dict[str, str], kind: str = "application/json") -> httpx.Response:
    return door.client.post("/slack/events", content=body, headers={"content-type": kind, **headers})


def headers_without(name: str) -> dict[str, str]:
    return {key: value for key, value in rig.signature(BODY).items() if key != name}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        headers_without("x-slack-signature"),
        headers_without("x-slack-request-timestamp"),
        rig.signature(BODY, secret="another secret"),
        rig.signature(BODY + b" "),
        rig.signature(BODY, at=time.time() - 301),
        rig.signature(BODY, at=time.time() + 3600),
        rig.signature(BODY, at=0),
        *(
            {**rig.signature(BODY), "x-slack-request-timestamp": forged}
            for forged in ("", "now", "1e9", "-1", "9" * 400, "9" * 5000, "²")
        ),
        *(
            {**rig.signature(BODY), "x-slack-signature": forged}
            for forged in ("", "v0=", "v1=" + "0" * 64, "v0=" + "é" * 64, "x" * 5000)
        ),
    ],
    # What is signed holds the time: as names they would differ from process to process.
    ids=lambda _: "headers",
)
def test_a_request_that_slack_did_not_sign_is_refused(door: Door, headers: dict[str, str]) -> None:
    """401, no row, and a line in the log that holds nothing of it."""
    raw = {name: value.encode() for name, value in headers.items()}

    assert knock(door, BODY, raw).status_code == 401

    assert door.jobs() == []
    assert door.logged == [{"event": "request.unverified", "log_level": "warning"}]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"{", b"null", b"[" * 100_000])
def test_an_unsigned_body_is_not_read(door: Door, body: bytes) -> None:
    """Whatever it is, it is refused for the signature."""
    forged = {"x-slack-request-timestamp": str(int(time.time())), "x-slack-signature": "v0=" + "0" * 64}

    assert knock(door, body, forged).status_code == 401


@pytest.mark.parametrize("old", [280, 0, -299])
def test_a_clock_may_differ_by_five_minutes(door: Door, old: int) -> None:
    """Slack's own rule (docs.slack.dev, "Verifying requests from Slack")."""
    assert knock(door, BODY, rig.signature(BODY, at=time.time() - old)).status_code == 200


def test_a_replayed_request_makes_no_second_job(door: Door) -> None:
    """Within five minutes its signature holds, so the row's key is the second line of defence."""
    headers = rig.signature(BODY)

    assert [knock(door, BODY, headers).status_code for _ in range(3)] == [200, 200, 200]

    assert len(door.jobs()) == 1
    assert [name for name, _ in door.bell.rings].count("prepare") == 1


def test_a_replayed_command_makes_no_second_job(door: Door) -> None:
    """The same for what has no event id: its trigger id."""
    body = urlencode(rig.command()).encode()
    for _ in range(3):
        knock(door, body, rig.signature(body), "application/x-www-form-urlencoded")

    assert len(door.jobs()) == 1


def test_an_ssl_check_opens_nothing(door: Door) -> None:
    """`ssl_check=1` needs a signature like everything else, and with one it is only acknowledged."""
    body = urlencode({**rig.command(), "ssl_check": "1"}).encode()

    assert knock(door, body, {}, "application/x-www-form-urlencoded").status_code == 401
    assert door.jobs() == []
    assert door.command({"ssl_check": "1", "token": "unused"}).status_code == 200
    assert door.jobs() == []


def test_url_verification_needs_a_signature(door: Door) -> None:
    """Slack signs it, and gets its challenge back."""
    asked = {
        "type": "url_verification",
        "token": "unused",
        "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWM",
    }
    body = json.dumps(asked).encode()

    assert knock(door, body, {}).status_code == 401
    answer = door.event(asked)

    assert (answer.status_code, answer.json()) == (200, {"challenge": asked["challenge"]})
    assert door.jobs() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_slack_only_posts(door: Door, method: str) -> None:
    """Any other method is refused before the body is read."""
    assert door.client.request(method, "/slack/events").status_code == 405


def test_without_a_signing_secret_nothing_by_http_is_believed(sqlite_url: str) -> None:
    """Socket Mode alone: the address still answers, and takes nothing, not even what an empty secret signs."""
    with rig.opened(sqlite_url, slack_signing_secret="") as socket_only:
        assert knock(socket_only, BODY, rig.signature(BODY, secret="")).status_code == 401
        assert knock(socket_only, BODY, {}).status_code == 401
        assert socket_only.jobs() == []


def test_a_body_over_two_megabytes_is_refused_while_it_comes(door: Door) -> None:
    """413 without holding it all; the signature is not even computed."""

    async def endless() -> object:
        taken = 0
        while True:
            taken += 65_536
            assert taken < 4 * 1024 * 1024, "the door goes on reading"
            yield b"x" * 65_536

    assert door.client.post("/slack/events", content=endless()).status_code == 413
    assert door.jobs() == []


@pytest.mark.parametrize("path", ["/slack/events", "/api/analyses"])
def test_who_hangs_up_in_mid_sentence_breaks_nothing(door: Door, path: str) -> None:
    """The server that we run in logs what we raise as an error of ours, with its traceback."""
    heard = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    said: list[Any] = []

    async def receive() -> Any:
        return next(heard)

    async def send(message: Any) -> None:
        said.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": headers,
        "http_version": "1.1",
        "scheme": "http",
        "server": ("front.door", 80),
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(create_web(door.resources, door.app)(scope, receive, send))
    assert said[0]["status"] in {400, 401}
    assert door.jobs() == []


def test_a_body_of_two_megabytes_is_taken(door: Door) -> None:
    """The limit is far above what Slack sends, and a request below it is a request."""
    sent = json.dumps(rig.mention())

    assert door.send(sent + " " * (2 * 1024 * 1024 - len(sent))).status_code == 200
    assert len(door.jobs()) == 1
