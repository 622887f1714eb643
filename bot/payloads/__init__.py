"""Slack's payloads, read: a module for each kind, and here what all have. Nobody else knows their shapes."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from bot.intake import storable

Payload = Mapping[str, Any]
T = TypeVar("T")

MOST_FILES = 100
"""More than one message of Slack's can have; how many are read, preparing decides and says."""

_FILE_ID = re.compile(r"F[A-Z0-9]{2,30}")


class Malformed(Exception):
    """Not what Slack sends; the message names the missing key and holds nothing of the payload."""


def read(body: bytes, content_type: str) -> Payload:
    """The payload of a request by HTTP: an event is JSON, a command a form, an interaction JSON in a form.

    Bolt's own reader takes every form that holds the word "payload" for an interaction, and so loses
    commands that speak of one. Raises Malformed.
    """
    try:
        text = body.decode()
        if content_type.startswith("application/json"):
            payload = json.loads(text)
        else:
            form = dict(parse_qsl(text, keep_blank_values=True))
            payload = json.loads(form["payload"]) if "payload" in form else form
    except (ValueError, RecursionError) as error:
        raise Malformed(type(error).__name__) from None
    return checked(payload)


def checked(payload: object) -> Payload:
    """What Bolt takes for granted on its way to a listener, by HTTP or by Socket Mode; raises Malformed."""
    if not isinstance(payload, Mapping) or not payload:
        raise Malformed("payload")
    for key in ("event", "view"):
        if not isinstance(payload.get(key, {}), Mapping):
            raise Malformed(key)
    if "actions" in payload:
        pressed = action(payload)
        if payload.get("type") == "block_actions":
            word(pressed, "action_id", 255)
    return payload


def part(body: Payload, key: str) -> Payload:
    """A part that has parts itself; raises Malformed."""
    found = body.get(key)
    if not isinstance(found, Mapping):
        raise Malformed(key)
    return found


def word(body: Payload, key: str, longest: int = 64) -> str:
    """A string that fits its column and is not empty; without NUL or halves of characters, which no column takes.

    Raises Malformed.
    """
    found = body.get(key)
    if not isinstance(found, str) or not found or len(found) > longest or not found.isprintable():
        raise Malformed(key)
    return found


def who(body: Payload) -> tuple[str, str]:
    """The (team, user) of a press, a form or a shortcut; raises Malformed."""
    return word(part(body, "team"), "id"), word(part(body, "user"), "id")


def text_in(body: Payload) -> str:
    """Its text as somebody wrote it; empty where there is none."""
    found = body.get("text")
    return found if isinstance(found, str) else ""


def thread_in(message: Payload) -> str | None:
    """The thread that a message is in; raises Malformed."""
    return word(message, "thread_ts", 32) if message.get("thread_ts") else None


def carried(body: Payload, key: str, longest: int, read: Callable[[str], T]) -> T:
    """What a button or a form of ours carried, by a reader that raises ValueError; raises Malformed."""
    try:
        return read(word(body, key, longest))
    except ValueError:
        raise Malformed(key) from None


def action(body: Payload) -> Payload:
    """What was pressed or chosen; raises Malformed."""
    actions = body.get("actions")
    if not isinstance(actions, list) or not actions or not isinstance(actions[0], Mapping):
        raise Malformed("actions")
    return actions[0]


def attached(files: object) -> list[dict[str, str]]:
    """The ids and names of what is attached; where it lies is asked when it is fetched."""
    named = [
        (file.get("id"), file.get("name") or file.get("title"))
        for file in (files if isinstance(files, list) else [])
        if isinstance(file, Mapping) and file.get("mode") != "tombstone"
    ]
    return [
        {"id": file_id, "name": storable(name)[:255] if isinstance(name, str) else ""}
        for file_id, name in named[:MOST_FILES]
        if isinstance(file_id, str) and _FILE_ID.fullmatch(file_id)
    ]
