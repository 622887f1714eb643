"""The views of a request: status card, result, failure. Data in, blocks out.

Texts come from the catalogue, as mrkdwn; what people wrote in them goes through escape().
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.deliver import defuse, plain
from tasks.deliver.defuse import escape
from tasks.deliver.message import Message

__all__ = ["Button", "Confirm", "Message", "Thumbs", "card", "escape", "failure", "mention", "result"]

Block = dict[str, Any]

# docs.slack.dev/reference/block-kit: blocks in a message; section and actions block; button element;
# confirmation dialog object.
MAX_BLOCKS = 50
MAX_SECTION = 3000
MAX_BUTTONS = 25
MAX_BUTTON_TEXT = 75
MAX_VALUE = 2000
MAX_ACTION_ID = 255
MAX_CONFIRM_TITLE = 100
MAX_CONFIRM_TEXT = 300
MAX_CONFIRM_BUTTON = 30
# Ours: beside 11,000 characters of a result this stays below what Slack takes in all blocks together.
MAX_FOOTER = 500
_USER = re.compile(r"[UW][A-Z0-9]{2,20}")
_MENTION = re.compile(r"<@([UW][A-Z0-9]{2,20})>")
# Commands such as <!channel>, with any spelling: no view of ours has a use for them.
_COMMAND = re.compile(r"<(?=\s*!)")


@dataclass(frozen=True)
class Confirm:
    """The question before a button acts; plain text."""

    title: str
    text: str
    confirm: str
    deny: str


@dataclass(frozen=True)
class Button:
    """`value` comes back with the click; `style` is None, "primary" or "danger".

    `heard` is what screen readers say in place of the text: several buttons of a thread look the same.
    """

    action_id: str
    text: str
    value: str
    style: str | None = None
    confirm: Confirm | None = None
    heard: str | None = None


def mention(user_id: str) -> str:
    """The markup that notifies `user_id`; ValueError where it is no user's id."""
    if not _USER.fullmatch(user_id):
        raise ValueError("not a Slack user id")
    return f"<@{user_id}>"


@dataclass(frozen=True)
class Thumbs:
    """What people may think of an answer: the values come back with `:up` or `:down` behind them."""

    action_id: str
    good: str
    bad: str
    value: str


def card(lines: Sequence[str], buttons: Sequence[Button] = (), preview: Message | None = None) -> Message:
    """The status card: its lines as one section, so that an edit does not make the thread jump.

    `preview` is a rendered piece of the answer.
    """
    said = _mrkdwn("\n".join(line for line in lines if line.strip()), MAX_SECTION)
    if preview is None:
        return Message([_section(said), *_actions(buttons)], said)
    body = preview.blocks[: MAX_BLOCKS - 2]
    text = plain.bounded(f"{said}\n{preview.text}", plain.MAX_TEXT)
    return Message([_section(said), *body, *_actions(buttons)], text)


def result(
    rendered: Message, mention: str | None = None, footer: str | None = None, thumbs: Thumbs | None = None
) -> Message:
    """A rendered answer with its reader named before it, a footer and thumbs behind it.

    `mention` is a user's id or what mention() made of it; anything else is left out.
    """
    who = _who(mention)
    ends = [*_context(footer), *_feedback(thumbs)]
    before = [_section(who)] if who else []
    body = rendered.blocks[: MAX_BLOCKS - len(before) - len(ends)]
    text = plain.bounded(f"{who} {rendered.text}" if who else rendered.text, plain.MAX_TEXT)
    return Message([*before, *body, *ends], text)


def failure(
    title: str,
    advice: str,
    reference: str | None = None,
    mention: str | None = None,
    buttons: Sequence[Button] = (),
    partial: str = "",
) -> Message:
    """What failed, what to do, what there is of an answer (as mrkdwn), and the reference to quote."""
    heading = " ".join(part for part in (_who(mention), f"*{title.strip()}*") if part)
    said = _mrkdwn(f"{heading}\n{advice}", MAX_SECTION)
    some = [_section(_mrkdwn(partial, MAX_SECTION))] if partial.strip() else []
    return Message([_section(said), *some, *_context(reference), *_actions(buttons)], said)


def _who(mention: str | None) -> str:
    found = _USER.fullmatch(mention or "") or _MENTION.fullmatch(mention or "")
    return f"<@{found[found.re.groups]}>" if found else ""


def _mrkdwn(text: str, limit: int) -> str:
    """Text of ours within `limit`, without hidden signs and without Slack's commands."""
    # The joiners that escape() put there are what keeps its text from pinging.
    seen = defuse.JOINER.join(map(defuse.clean, text.split(defuse.JOINER)))
    said = _COMMAND.sub("&lt;", seen).strip()
    # Slack takes no empty text.
    return plain.bounded(said, limit) or defuse.ELLIPSIS


def _plain(text: str, limit: int) -> Block:
    said = defuse.cut(defuse.defuse(" ".join(defuse.clean(text).split())), limit) or defuse.ELLIPSIS
    return {"type": "plain_text", "text": said, "emoji": True}


def _section(mrkdwn: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn}}


def _context(text: str | None) -> list[Block]:
    if not text or not text.strip():
        return []
    return [{"type": "context", "elements": [{"type": "mrkdwn", "text": _mrkdwn(text, MAX_FOOTER)}]}]


def _actions(buttons: Sequence[Button]) -> list[Block]:
    if not buttons:
        return []
    return [{"type": "actions", "elements": [_button(button) for button in buttons[:MAX_BUTTONS]]}]


def _feedback(thumbs: Thumbs | None) -> list[Block]:
    """docs.slack.dev/reference/block-kit/block-elements/feedback-buttons-element"""
    if thumbs is None:
        return []
    element = {
        "type": "feedback_buttons",
        "action_id": thumbs.action_id,
        "positive_button": _thumb(thumbs.good, f"{thumbs.value}:up"),
        "negative_button": _thumb(thumbs.bad, f"{thumbs.value}:down"),
    }
    return [{"type": "context_actions", "elements": [element]}]


def _thumb(text: str, value: str) -> Block:
    said = _plain(text, MAX_BUTTON_TEXT)
    return {"text": said, "value": value, "accessibility_label": said["text"]}


def _button(button: Button) -> Block:
    value = defuse.encodable(button.value)
    block: Block = {
        "type": "button",
        "action_id": defuse.encodable(button.action_id)[:MAX_ACTION_ID],
        "text": _plain(button.text, MAX_BUTTON_TEXT),
        "value": value[: defuse.fitting(value, MAX_VALUE)],
    }
    if button.style in ("primary", "danger"):
        block["style"] = button.style
    if button.confirm is not None:
        block["confirm"] = _confirm(button.confirm)
    if button.heard is not None:
        block["accessibility_label"] = _plain(button.heard, MAX_BUTTON_TEXT)["text"]
    return block


def _confirm(confirm: Confirm) -> Block:
    return {
        "title": _plain(confirm.title, MAX_CONFIRM_TITLE),
        "text": _plain(confirm.text, MAX_CONFIRM_TEXT),
        "confirm": _plain(confirm.confirm, MAX_CONFIRM_BUTTON),
        "deny": _plain(confirm.deny, MAX_CONFIRM_BUTTON),
    }
