"""Slack's payloads as requests: the only file that knows their shapes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from bot.intake import Request, storable
from db.states import Origin
from tasks.actions import Attempt
from tasks.recipes import Asked, Recipes

Payload = Mapping[str, Any]

MOST_FILES = 100
"""More than one message of Slack's can have; how many are read, preparing decides and says."""

_FILE_ID = re.compile(r"F[A-Z0-9]{2,30}")

_MENTION_FIRST = re.compile(r"^\s*<@[UW][A-Z0-9]+(?:\|[^>]*)?>[\s:,]*")


class Malformed(Exception):
    """Not what Slack sends; the message names the missing key and holds nothing of the payload."""


@dataclass(frozen=True)
class Command:
    """A slash command, before it is known whether it asks for an analysis."""

    team: str
    user: str
    channel: str
    text: str
    trigger: str
    response_url: str

    def request(self, asked: Asked) -> Request:
        """The analysis it asks for: answered under a card, since a command leaves no message."""
        return Request(
            source_key=f"trigger:{self.trigger}",
            origin=Origin.COMMAND,
            team=self.team,
            requester=self.user,
            channel=self.channel,
            recipe=asked.recipe.name,
            text=asked.text,
            response_url=self.response_url,
        )


@dataclass(frozen=True)
class Press:
    """Somebody pressed a button of ours."""

    team: str
    user: str
    attempt: Attempt
    response_url: str


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
    if not isinstance(payload, Mapping) or not payload:
        raise Malformed("payload")
    # What Bolt takes for granted on its way to a listener.
    for key in ("event", "view"):
        if not isinstance(payload.get(key, {}), Mapping):
            raise Malformed(key)
    if "actions" in payload:
        _action(payload)
    return payload


def command(body: Payload) -> Command:
    """Read a slash command; raises Malformed."""
    return Command(
        team=_word(body, "team_id"),
        user=_word(body, "user_id"),
        channel=_word(body, "channel_id"),
        text=body["text"].strip() if isinstance(body.get("text"), str) else "",
        trigger=_word(body, "trigger_id", 200),
        response_url=_word(body, "response_url", 1000),
    )


def is_direct(body: Payload) -> bool:
    """Whether a message event is from a direct message with the bot."""
    return _part(body, "event").get("channel_type") == "im"


def message(body: Payload, recipes: Recipes, origin: Origin) -> Request | None:
    """Read a mention or a direct message; None when there is nobody to answer. Raises Malformed.

    In a thread, a message that brings neither text nor files of its own takes the thread as its text.
    """
    event = _part(body, "event")
    subtype = None if event.get("subtype") is None else _word(event, "subtype")
    if event.get("bot_id") or subtype not in {None, "file_share", "thread_broadcast"}:
        # Bots, ourselves among them, and notices such as "edited" or "joined the channel".
        return None
    team, channel, ts = _word(body, "team_id"), _word(event, "channel"), _word(event, "ts", 32)
    thread = _word(event, "thread_ts", 32) if event.get("thread_ts") else None
    text = event["text"] if isinstance(event.get("text"), str) else ""
    files = _files(event)
    asked = recipes.parse_command(_without_us(text, body))
    if files and asked.unknown and recipes.closest(asked.unknown) is None:
        # A word beside a file is a wish about it, unless it nearly names a recipe.
        asked = Asked(asked.recipe, asked.text)
    return Request(
        source_key=f"event:{_word(body, 'event_id', 200)}",
        message_key=f"message:{team}:{channel}:{ts}",
        origin=origin,
        team=team,
        requester=_word(event, "user"),
        channel=channel,
        thread_ts=thread or ts,
        message_ts=ts,
        recipe=asked.unknown or asked.recipe.name,
        text=asked.text,
        files=files,
        material_ts=thread if thread and not files and _brings_no_text(asked) else None,
    )


def shortcut(body: Payload, recipes: Recipes) -> Request:
    """Read the message shortcut: the message it was used on is the text. Raises Malformed."""
    clicked = _part(body, "message")
    team, channel = _word(_part(body, "team"), "id"), _word(_part(body, "channel"), "id")
    ts = _word(clicked, "ts", 32)
    thread = _word(clicked, "thread_ts", 32) if clicked.get("thread_ts") else None
    return Request(
        source_key=f"trigger:{_word(body, 'trigger_id', 200)}",
        origin=Origin.SHORTCUT,
        team=team,
        requester=_word(_part(body, "user"), "id"),
        channel=channel,
        thread_ts=thread or ts,
        message_ts=ts,
        recipe=recipes.default.name,
        text=clicked["text"] if isinstance(clicked.get("text"), str) else "",
        files=_files(clicked),
        response_url=_word(body, "response_url", 1000),
    )


def press(body: Payload) -> Press:
    """Read a press of a button that carries an attempt; raises Malformed."""
    try:
        attempt = Attempt.parse(_word(_action(body), "value", 2000))
    except ValueError:
        raise Malformed("actions.value") from None
    return Press(
        team=_word(_part(body, "team"), "id"),
        user=_word(_part(body, "user"), "id"),
        attempt=attempt,
        response_url=_word(body, "response_url", 1000),
    )


def _brings_no_text(asked: Asked) -> bool:
    """Only a recipe's name, or only a question about what was said."""
    return not asked.text or (asked.recipe.needs_question and "\n" not in asked.text)


def _files(message: Payload) -> list[dict[str, str]]:
    """The ids and names of what is attached; where it lies is asked when it is fetched."""
    files = message.get("files")
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


def _without_us(text: str, body: Payload) -> str:
    """The text without the mention that called us; other people's names stay."""
    authorizations = body.get("authorizations")
    us = authorizations[0] if isinstance(authorizations, list) and authorizations else None
    user = us.get("user_id") if isinstance(us, Mapping) else None
    if isinstance(user, str) and re.fullmatch(r"[UW][A-Z0-9]+", user):
        return re.sub(rf"\s*<@{user}(?:\|[^>]*)?>[\s:,]*", " ", text).strip()
    return _MENTION_FIRST.sub("", text).strip()


def _action(body: Payload) -> Payload:
    actions = body.get("actions")
    if not isinstance(actions, list) or not actions or not isinstance(actions[0], Mapping):
        raise Malformed("actions")
    return actions[0]


def _part(body: Payload, key: str) -> Payload:
    part = body.get(key)
    if not isinstance(part, Mapping):
        raise Malformed(key)
    return part


def _word(body: Payload, key: str, longest: int = 64) -> str:
    """A string that fits its column and is not empty; without NUL or halves of characters, which no column takes."""
    word = body.get(key)
    if not isinstance(word, str) or not word or len(word) > longest or not word.isprintable():
        raise Malformed(key)
    return word
