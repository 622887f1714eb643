"""Reads a conversation: which part is the person's material, and which a question about it."""

import re
from dataclasses import dataclass
from typing import Any

_BLOCK = re.compile(r"^[ \t]*<text>[ \t]*\n(.*?)(?:^[ \t]*</text>[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_LABEL = re.compile(r"^\s*(?:question|질문)\s*[:：]\s*", re.IGNORECASE | re.MULTILINE)
_QUESTION = re.compile(r"[^.!?。\n]*[?？]")


@dataclass(frozen=True)
class Material:
    """The text to work on, and the question about it ("" for none)."""

    text: str
    question: str


def read(messages: list[dict[str, Any]]) -> Material:
    """The material of the last user message that has `<text>` blocks, else all of the last one.

    A later one without blocks speaks of the same text: it asks for the answer in another form.
    """
    asked = [content_text(message) for message in messages if message.get("role") == "user"]
    with_blocks = [text for text in asked if _BLOCK.search(text.replace("\r\n", "\n"))]
    said = (with_blocks or asked or [""])[-1].replace("\r\n", "\n")
    blocks = [match.group(1).strip("\n") for match in _BLOCK.finditer(said)]
    if not blocks:
        return Material(said, "")
    return Material("\n\n".join(blocks), _question(_BLOCK.sub("\n", said)))


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """The text of the last user message, "" without one."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return content_text(message)
    return ""


def instructions(messages: list[dict[str, Any]]) -> str:
    """What the system messages say."""
    return "\n".join(content_text(message) for message in messages if message.get("role") == "system")


def content_text(message: dict[str, Any]) -> str:
    """A message's text, whether it is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        return "\n".join(str(part["text"]) for part in parts if "text" in part)
    return content if isinstance(content, str) else ""


def _question(outside: str) -> str:
    label = _LABEL.search(outside)
    if label:
        return outside[label.end() :].strip()
    return " ".join(match.group().strip() for match in _QUESTION.finditer(outside))
