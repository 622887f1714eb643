"""Malformed payloads of every kind: never a crash, never a row, and a line in the log without the content."""

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import front_door_rig as rig
from tests import fuzz
from tests.front_door_rig import Door
from tests.fuzz import FORM, JSON, WORDS

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door


def without(payload: dict[str, Any], *path: str) -> dict[str, Any]:
    changed = copy.deepcopy(payload)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return changed


def replaced(payload: dict[str, Any], value: object, *path: str) -> dict[str, Any]:
    changed = copy.deepcopy(payload)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


EVENT, DIRECT, SHORTCUT, PRESS = rig.mention(WORDS), rig.direct(WORDS), rig.shortcut(WORDS), rig.press(WORDS)

EVENTS = [
    *(without(EVENT, key) for key in ("team_id", "event_id", "event", "type")),
    *(without(EVENT, "event", key) for key in ("user", "channel", "ts", "type")),
    *(without(DIRECT, "event", key) for key in ("user", "channel", "ts")),
    *(
        replaced(EVENT, value, key)
        for key in ("event", "team_id", "event_id")
        for value in (None, 7, WORDS + "\x00", [WORDS], "", "\ud800", {})
    ),
    *(
        replaced(EVENT, value, "event", key)
        for key in ("user", "channel", "ts")
        for value in (None, 7, [WORDS], "", "\x00" + WORDS, "\ud800", WORDS * 100, {"id": WORDS})
    ),
    *(
        replaced(EVENT, value, "event", "thread_ts")
        for value in (7, [WORDS], WORDS * 100, {"a": 1}, "\ud800")
    ),
    *(replaced(EVENT, value, "type") for value in (None, 7, [WORDS], {}, "app_rate_limited", WORDS)),
    *(replaced(EVENT, value, "event", "type") for value in (None, 7, [WORDS], {}, WORDS)),
    *(replaced(EVENT, value, "event", "subtype") for value in ([WORDS], {})),
    *(replaced(EVENT, value, "authorizations") for value in (7, [7], [[WORDS]], [None], WORDS)),
    *([WORDS], [[]], 7, None, WORDS, {}, [], True),
]

INTERACTIONS = [
    *(without(SHORTCUT, key) for key in ("team", "user", "channel", "trigger_id", "message", "response_url")),
    *(without(SHORTCUT, "message", "ts"), without(SHORTCUT, "callback_id"), without(SHORTCUT, "type")),
    *(
        replaced(SHORTCUT, value, key)
        for key in ("team", "user", "channel", "message", "trigger_id", "callback_id", "response_url")
        for value in (None, 7, [WORDS], [], {}, "")
    ),
    *(without(PRESS, key) for key in ("team", "user", "actions", "response_url", "type")),
    *(
        replaced(PRESS, value, key)
        for key in ("team", "user", "actions", "view", "channel")
        for value in (None, 7, [], [WORDS], [None], {}, WORDS)
    ),
    *({"type": kind, "view": {"callback_id": WORDS}} for kind in ("view_submission", "view_closed")),
    *(
        {"type": kind, "view": value}
        for kind in ("view_submission", "view_closed")
        for value in (None, 7, [])
    ),
    {"type": "block_suggestion", "action_id": WORDS, "value": WORDS},
    {"type": "shortcut", "callback_id": WORDS},
    {"type": "interactive_message", "callback_id": WORDS, "actions": []},
    {"type": "workflow_step_edit", "callback_id": WORDS},
    *([WORDS], [], 7, None, WORDS, {}),
]

COMMANDS = [
    *(
        {name: value for name, value in rig.command(WORDS).items() if name != gone}
        for gone in ("team_id", "user_id", "channel_id", "trigger_id", "response_url", "command")
    ),
    *(
        {**rig.command(WORDS), name: value}
        for name in ("team_id", "user_id", "channel_id", "trigger_id", "response_url", "command")
        for value in ("", WORDS * 100, "\x00" + WORDS)
    ),
    {"text": WORDS},
]

RAW = [
    (b"", JSON),
    (b"", FORM),
    (b"", ""),
    (WORDS.encode(), JSON),
    (WORDS.encode(), FORM),
    (b"payload=", FORM),
    (b"payload=" + WORDS.encode(), FORM),
    (b"payload=%7B", FORM),
    (b"payload=null", FORM),
    (b'{"text": "' + WORDS.encode() + b'"', JSON),
    (b'{"text": "' + WORDS.encode() + b'"}', "text/plain"),
    (b'{"n": ' + b"9" * 5000 + b"}", JSON),
    (b"NaN", JSON),
    (b"[" * 100_000 + b"]" * 100_000, JSON),
    (b'{"event":' * 100_000 + b"1" + b"}" * 100_000, JSON),
    (b"payload=" + b"[" * 100_000, FORM),
    *((b'{"event":' * depth + b"{}" + b"}" * depth, JSON) for depth in (300, 600, 900, 950, 980)),
    *((b'{"authorizations":[' * depth + b"{}" + b"]}" * depth, JSON) for depth in (300, 450, 480)),
    ("".join(f"{WORDS}{number}=&" for number in range(10_000)).encode(), FORM),
    (WORDS.encode("utf-16"), JSON),
    (WORDS.encode() + b"\xff\xfe", JSON),
    (WORDS.encode() + b"\xc3\x28", FORM),
    (b"%ff%fe=%00", FORM),
]


def refused(door: Door, caplog: pytest.LogCaptureFixture, status: int) -> None:
    """An answer that is no failure of ours, no row, and a line in the log without what was sent."""
    assert 200 <= status < 500
    assert door.jobs() == []
    assert door.logged, "the log says nothing"
    assert WORDS not in repr(door.logged)
    assert WORDS not in caplog.text


@pytest.fixture(autouse=True)
def _product_levels(caplog: pytest.LogCaptureFixture) -> None:
    """The levels that tasks.logs sets for the libraries."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.ERROR, "slack_bolt")


@pytest.mark.parametrize("payload", EVENTS, ids=lambda _: "")
def test_a_malformed_event(door: Door, caplog: pytest.LogCaptureFixture, payload: object) -> None:
    refused(door, caplog, door.event(payload).status_code)


@pytest.mark.parametrize("payload", INTERACTIONS, ids=lambda _: "")
def test_a_malformed_interaction(door: Door, caplog: pytest.LogCaptureFixture, payload: object) -> None:
    refused(door, caplog, door.interaction(payload).status_code)


@pytest.mark.parametrize("fields", COMMANDS, ids=lambda _: "")
def test_a_malformed_command(door: Door, caplog: pytest.LogCaptureFixture, fields: dict[str, str]) -> None:
    refused(door, caplog, door.command(fields).status_code)


@pytest.mark.parametrize(("body", "kind"), RAW, ids=lambda value: repr(value)[:30])
def test_a_body_that_is_no_payload(
    door: Door, caplog: pytest.LogCaptureFixture, body: bytes, kind: str
) -> None:
    refused(door, caplog, door.send(body, kind).status_code)


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b", "\ud83d", "a\U0010ffffb", "\x1b[31m", "\u202eabc"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda door, text: door.event(rig.mention(text)),
        lambda door, text: door.interaction(rig.shortcut(text)),
        lambda door, text: door.command(rig.command(text.encode("utf-8", "replace").decode())),
    ],
    ids=["event", "shortcut", "command"],
)
def test_odd_characters_in_a_text_are_stored_without_harm(
    either_door: Door, ask: Callable[[Door, str], Any], odd: str
) -> None:
    """What no database takes is left out; the request is a request all the same, also the second time."""
    text = f"Some {odd} text to analyze."

    assert ask(either_door, text).status_code == 200

    assert either_door.job().text.startswith("Some ")
    assert either_door.job().text.endswith(" text to analyze.")


def test_an_unknown_recipe_s_word_is_not_logged(door: Door) -> None:
    """A single word is taken for a recipe's name, and may be anything."""
    door.event(rig.mention("<@U0BOT> swordfish"))

    assert door.job().recipe == "swordfish"
    assert "swordfish" not in repr(door.logged)


# Junk that grew from valid requests, so that it comes further than noise would.

VALID = [EVENT, DIRECT, SHORTCUT, PRESS, rig.command(WORDS)]


@settings(
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(payload=fuzz.mutated(VALID), as_form=st.booleans())
def test_no_mutation_of_a_valid_request_breaks_the_door(door: Door, payload: object, as_form: bool) -> None:
    """Never a failure of ours; a row only for what was acknowledged; nothing of it in the log."""
    before = len(door.jobs())
    answer = door.interaction(payload) if as_form else door.event(payload)

    assert answer.status_code in {200, 400}
    assert len(door.jobs()) == before or answer.status_code == 200
    assert WORDS not in repr(door.logged)
    door.logged.clear()


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from([JSON, FORM, "", "multipart/form-data; boundary=x", "é"]),
)
def test_noise_is_refused(door: Door, body: bytes, kind: str) -> None:
    """Signed bytes of any kind and type."""
    assert door.send(body, kind.encode()).status_code < 500
    assert door.jobs() == []
