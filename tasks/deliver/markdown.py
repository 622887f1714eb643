"""Markdown as language models write it, as Slack messages that never ping and never exceed a limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.deliver import defuse, grammar, pieces, plain, split, verify
from tasks.deliver.message import Message
from tasks.deliver.pieces import Piece

__all__ = ["MAX_MESSAGES", "Message", "Rendering", "render"]

MAX_MESSAGES = 4
# A thread should not be flooded with what its file says anyway.
_MESSAGES_BESIDE_FILE = 1
# For each message. Slack has no such limit; forty thousand lines of one letter are for a file.
_MAX_LINES = 2000


@dataclass(frozen=True)
class Rendering:
    """Messages to post in order (none for an empty text), and the Markdown to attach where they are cut."""

    messages: tuple[Message, ...]
    file: str | None = None


def render(text: str, *, max_messages: int = MAX_MESSAGES) -> Rendering:
    """`text` as at most `max_messages` messages; beyond that its beginning, and all of it as a file.

    The result depends on `text` alone. The time is linear in its length: what cannot be shown in
    `max_messages` is not parsed. Post with unfurl_links=False and unfurl_media=False.
    """
    whole = defuse.clean(text)
    # Even where half of it is Markdown signs and addresses, what is longer does not fit.
    shown = _beginning(whole, 2 * max_messages * split.MAX_CHARACTERS, max_messages * _MAX_LINES)
    packed = split.pack(_pieces(shown, max_messages), max_messages)
    if len(shown) == len(whole) and len(packed) <= max_messages:
        return Rendering(_messages(packed))
    beginning = [*packed[:_MESSAGES_BESIDE_FILE]]
    if beginning:
        beginning[-1] = [*beginning[-1], *pieces.from_plain(defuse.ELLIPSIS)]
    return Rendering(_messages(beginning), file=defuse.encodable(text))


def _beginning(text: str, length: int, lines: int) -> str:
    """At most `length` characters in at most `lines` lines; whole lines if there are any."""
    shown = text
    if len(text) > length:
        shown = text[: text.rfind("\n", length // 2, length) + 1] or text[:length]
    if shown.count("\n") > lines:
        shown = "\n".join(shown.split("\n", lines)[:lines])
    return shown


def _pieces(text: str, max_messages: int) -> list[Piece]:
    tree = grammar.parse(text)
    if tree is None:
        return pieces.from_plain(text)
    # A message holds one table, so many small ones would be torn over as many messages.
    tables = sum(node.type == "table" for node in tree.children)
    return pieces.from_tree(tree, native_tables=tables <= max_messages)


def _messages(packed: Iterable[Sequence[Piece]]) -> tuple[Message, ...]:
    return tuple(_message([block for piece in message for block in piece.blocks()]) for message in packed)


def _message(blocks: list[dict[str, Any]]) -> Message:
    """Blocks and their fallback, looked through once more; what still looks dangerous is shown as plain."""
    message = Message(blocks, plain.text(blocks))
    if not verify.problems(message):
        return message
    said = defuse.defuse(defuse.clean(message.text)).strip() or defuse.ELLIPSIS
    return Message([*_plain_sections(said)], plain.bounded(defuse.escape(said), plain.MAX_TEXT))


def _plain_sections(text: str) -> Iterator[dict[str, Any]]:
    """`text` as sections that Slack parses nothing in; each holds 3,000 characters."""
    while text := text.strip():
        end = defuse.fitting(text, 3000)
        yield {"type": "section", "text": {"type": "plain_text", "text": text[:end], "emoji": False}}
        text = text[end:]
