"""Whatever arrives, signed or not, by HTTP or by Socket Mode: an answer in time, one job at most, and no leak."""

import json
import logging
import time
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.metrics import Metrics
from bot.socket import Socket
from bot.web import LARGEST_BODY
from tests import front_door_rig as rig
from tests import fuzz
from tests.contract.test_front_door_socket_mode import Socket as Client
from tests.front_door_rig import Door
from tests.fuzz import FORM, JSON, WORDS

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door

FUZZ = settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Types of events that Slack knows (docs.slack.dev/reference/events), and what is sent beside events.
OTHER_EVENTS = [
    "app_home_opened",
    "app_uninstalled",
    "tokens_revoked",
    "agent_session_stopped",
    "channel_archive",
    "channel_deleted",
    "file_shared",
    "file_deleted",
    "link_shared",
    "member_joined_channel",
    "message_metadata_posted",
    "reaction_added",
    "team_join",
    "user_change",
    "function_executed",
    "workflow_step_execute",
    "assistant_thread_started",
    "grid_migration_started",
]
OTHERS: list[dict[str, Any]] = [
    *map(fuzz.event, OTHER_EVENTS),
    *(
        rig.direct(WORDS, subtype=each)
        for each in ("message_changed", "message_deleted", "bot_message", "channel_join")
    ),
    {"type": "url_verification", "token": "unused", "challenge": "c"},
    {
        "type": "app_rate_limited",
        "token": "unused",
        "team_id": "T1",
        "minute_rate_limited": 1,
        "api_app_id": "A1",
    },
    {"ssl_check": "1", "token": "unused"},
    fuzz.view("view_submission", "unknown"),
    fuzz.view("view_closed", "unknown"),
    fuzz.suggestion("unknown"),
    fuzz.global_shortcut("unknown"),
    rig.press(WORDS, action="unknown"),
    rig.press(WORDS, actions=[{"type": "multi_static_select", "action_id": "x", "selected_options": []}]),
    rig.shortcut(WORDS, callback_id="unknown"),
    rig.command(WORDS, command="/unknown"),
    {
        "type": "interactive_message",
        "callback_id": WORDS,
        "actions": [{"name": "x", "value": WORDS, "type": "button"}],
    },
    {"type": "dialog_submission", "callback_id": WORDS, "submission": {"a": WORDS}, "state": WORDS},
    {"type": "dialog_cancellation", "callback_id": WORDS},
]


@pytest.fixture(autouse=True)
def _product_levels(caplog: pytest.LogCaptureFixture) -> None:
    """The levels that tasks.logs sets for the libraries."""
    caplog.set_level(logging.DEBUG)
    for name in ("slack_bolt", "httpx", "httpcore", "slack_sdk"):
        caplog.set_level(logging.ERROR, name)


@pytest.fixture
def socket(door: Door) -> Iterator[Socket]:
    """The product's own end of Socket Mode, not connected."""
    tokens = {"slack_app_token": "xapp-rig"}
    door.resources.settings = door.resources.settings.model_copy(
        update={name: type(door.resources.settings.slack_app_token)(value) for name, value in tokens.items()}
    )
    made = Socket(door.resources, door.app, Metrics(door.resources))
    yield made
    made.close()


def written(door: Door, caplog: pytest.LogCaptureFixture) -> str:
    """All that was logged, with each traceback as it would be printed."""
    errors = [each["exc_info"] for each in door.logged if isinstance(each.get("exc_info"), BaseException)]
    printed = ["".join(traceback.format_exception(error)) for error in errors]
    return "\n".join([repr(door.logged), *printed, caplog.text])


def by_http(door: Door, payload: Any) -> int:
    """The way in which Slack sends such a payload."""
    if isinstance(payload, dict) and "command" in payload:
        fields = {str(name): value for name, value in payload.items()}
        return door.send(urlencode(fields, errors="replace"), FORM).status_code
    if isinstance(payload, dict) and payload.get("type") == "event_callback":
        return door.event(payload).status_code
    return door.interaction(payload).status_code


def check(door: Door, caplog: pytest.LogCaptureFixture, before: int) -> None:
    """One job at most for what came twice; the log quotes none of it, and no listener broke."""
    assert len(door.jobs()) - before in {0, 1}
    said = written(door, caplog)
    assert WORDS not in said
    assert "listener.broke" not in said
    door.logged.clear()
    caplog.clear()


def test_every_listener_is_known_here(door: Door) -> None:
    """A listener that is added later is found, and gets a valid payload to be fuzzed with."""
    found = fuzz.listeners(door.app)

    assert {("command", "/analyze"), ("event", "app_mention"), ("event", "message")} <= set(found)
    for (kind, name), payload in zip(found, fuzz.valid(door.app), strict=True):
        door.logged.clear()
        assert by_http(door, payload) == 200
        assert {"event": "request.ignored", "log_level": "info"} not in door.logged, (kind, name)


@FUZZ
@given(data=st.data())
def test_junk_for_every_listener_by_http(door: Door, caplog: pytest.LogCaptureFixture, data: Any) -> None:
    """Sent twice, as Slack does when it heard nothing: 200, or 400 for what is no payload."""
    payload = data.draw(fuzz.mutated([*fuzz.valid(door.app), *OTHERS]))
    before = len(door.jobs())

    assert {by_http(door, payload), by_http(door, payload)} <= {200, 400}

    check(door, caplog, before)


@FUZZ
@given(data=st.data())
def test_junk_for_every_listener_by_socket(
    door: Door, socket: Socket, caplog: pytest.LogCaptureFixture, data: Any
) -> None:
    """The thread that reads the socket lives on, and a second envelope of the same makes no second job."""
    payload = data.draw(fuzz.mutated([*fuzz.valid(door.app), *OTHERS]))
    before = len(door.jobs())

    for number in range(2):
        kind = data.draw(st.sampled_from(["events_api", "interactive", "slash_commands", "", "hello"]))
        socket.handle(Client(), SocketModeRequest(kind, f"envelope-{number}", payload, retry_attempt=number))

    check(door, caplog, before)


def test_what_nobody_listens_for(door: Door, socket: Socket, caplog: pytest.LogCaptureFixture) -> None:
    """It is acknowledged, so that Slack does not send it again, and nothing happens."""
    for payload in OTHERS:
        client = Client()

        assert by_http(door, payload) == 200, payload
        socket.handle(client, SocketModeRequest("events_api", "envelope-1", payload))

        assert len(client.sent) == 1, payload
        assert door.jobs() == []
        check(door, caplog, 0)


HEADERS = st.lists(
    st.tuples(
        st.sampled_from([
            "content-type",
            "x-slack-signature",
            "x-slack-request-timestamp",
            "x-slack-retry-num",
            "x-slack-retry-reason",
            "content-encoding",
            "transfer-encoding",
            "content-length",
            "expect",
            "x-forwarded-for",
            "authorization",
            "cookie",
        ]),
        st.sampled_from(["", "0", "1", "gzip", "chunked", "-1", "text/xml; charset=utf-7", "multipart/form-data"])
        | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=200),
    ),
    max_size=4,
)  # fmt: skip


@FUZZ
@given(extra=HEADERS, first=st.booleans(), as_form=st.booleans())
def test_doubled_and_odd_headers(
    door: Door, caplog: pytest.LogCaptureFixture, extra: list[tuple[str, str]], first: bool, as_form: bool
) -> None:
    """Before the right headers or behind them: refused or taken, never a failure, and one job at most."""
    payload = rig.mention(WORDS)
    body = urlencode({"payload": json.dumps(payload)}) if as_form else json.dumps(payload)
    right = [("content-type", FORM if as_form else JSON), *rig.signature(body.encode()).items()]
    headers = [(name, value.encode("latin-1")) for name, value in (*extra, *right)[:: 1 if first else -1]]
    before = len(door.jobs())

    answers = [
        door.client.post("/slack/events", content=body.encode(), headers=headers).status_code
        for _ in range(2)
    ]

    assert set(answers) <= {200, 400, 401, 413}
    check(door, caplog, before)


@FUZZ
@given(
    old=st.integers(-(10**6), 10**6) | st.floats(allow_nan=True),
    secret=st.sampled_from([rig.SECRET, "", rig.SECRET + " ", "another"]),
    body=st.binary(max_size=100),
)
def test_stale_and_forged_signatures(door: Door, old: float, secret: str, body: bytes) -> None:
    """Only what Slack's secret signed within five minutes is read at all; nothing else makes a row."""
    try:
        signed = rig.signature(body, at=time.time() - old, secret=secret)
    except (OverflowError, ValueError):
        signed = {"x-slack-request-timestamp": str(old), "x-slack-signature": "v0=" + "0" * 64}
    answer = door.client.post("/slack/events", content=body, headers={"content-type": JSON, **signed})

    assert answer.status_code in {400, 401}
    if secret != rig.SECRET or abs(old) > 301:
        assert answer.status_code == 401
    assert door.jobs() == []


@pytest.mark.parametrize("size", [LARGEST_BODY - 1, LARGEST_BODY, LARGEST_BODY + 1])
@pytest.mark.parametrize("fill", ["[", '{"event":', '{"a":1,', '"\\ud800', "%00", "&", "a=b&"])
@pytest.mark.parametrize("kind", [JSON, FORM])
def test_a_huge_body_of_each_kind(
    door: Door, caplog: pytest.LogCaptureFixture, size: int, fill: str, kind: str
) -> None:
    """Up to the limit it is read and refused, over it it is not; either way the next request is a request."""
    body = (fill * (size // len(fill) + 1))[:size]
    answer = door.send(body, kind).status_code

    assert answer == 413 if size > LARGEST_BODY else answer in {200, 400}
    check(door, caplog, 0)
    assert door.event(rig.mention()).status_code == 200
    assert len(door.jobs()) == 1


@pytest.mark.parametrize("depth", [10, 100, 900, 1000, 10_000, 100_000])
def test_a_deep_payload_in_each_place(
    door: Door, socket: Socket, caplog: pytest.LogCaptureFixture, depth: int
) -> None:
    """Deep where nobody looks or where somebody does: no failure."""
    for name in ("event", "authorizations", "unknown"):
        text = json.dumps(rig.mention(WORDS))[:-1] + f', "{name}": ' + "[" * depth + "]" * depth + "}"
        assert door.send(text, JSON).status_code in {200, 400}
        assert door.send(urlencode({"payload": text}), FORM).status_code in {200, 400}
        nested: Any = []
        for _ in range(depth):
            nested = [nested]
        socket.handle(
            Client(), SocketModeRequest("events_api", "envelope-1", {**rig.mention(WORDS), name: nested})
        )
        check(door, caplog, len(door.jobs()))
    assert WORDS not in written(door, caplog)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "euc-kr", "utf-7"])
@pytest.mark.parametrize("kind", [JSON, JSON + "; charset=euc-kr", FORM, "text/plain", "application/xml", ""])
def test_other_encodings(door: Door, caplog: pytest.LogCaptureFixture, encoding: str, kind: str) -> None:
    """Slack sends UTF-8: what is not, it cannot have signed."""
    body = json.dumps(rig.mention(WORDS + " 안녕하세요"), ensure_ascii=False).encode(encoding)

    assert door.send(body, kind).status_code in {200, 400, 401}
    check(door, caplog, 0)
