"""The last look at a rendered message: whatever the code before it did, nothing in it may ping."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tasks.deliver import defuse
from tasks.deliver.message import Message

_BLOCKS = frozenset({"rich_text", "header", "divider", "table"})
_RICH = frozenset({"rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"})
_LEAVES = frozenset({"text", "link", "plain_text"})
_SCHEMES = ("http://", "https://", "mailto:")
_LINK = re.compile(r"<(?:https?://|mailto:)[^<>|\s]+\|[^<>|]*>")


def problems(message: Message) -> list[str]:
    """What is dangerous in `message`, in words for a log; empty where it may be posted."""
    return [*_inside(message.blocks), *_text(message.text)]


def _inside(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, dict):
        kind = value.get("type")
        if kind is not None and kind not in _BLOCKS | _RICH | _LEAVES:
            yield f"element {kind}"
        if kind == "link" and not value["url"].lower().startswith(_SCHEMES):
            yield "link scheme"
        if kind in _LEAVES and defuse.live(value["text"]):
            yield f"live markup in {kind}"
        for key, item in value.items():
            if key not in ("style", "text") or isinstance(item, dict):
                yield from _inside(item)


def _text(text: str) -> Iterator[str]:
    rest = _LINK.sub("", text)
    if "<" in rest:
        yield "angle bracket in the fallback"
    if defuse.live(rest):
        yield "live markup in the fallback"
