"""How Slack turns what people type into message text.

Rules: https://docs.slack.dev/messaging/formatting-message-text (escaping, mentions, links).
"""

import re
from collections.abc import Mapping
from typing import Any

# The markup that Slack's own client writes for mentions and links; everything else a person types is escaped.
_MARKUP = re.compile(
    r"<(?:@[UW][A-Z0-9]+(?:\|[^<>]*)?|#[CG][A-Z0-9]+(?:\|[^<>]*)?|![a-z]+(?:\^[^<>|]*)*(?:\|[^<>]*)?"
    r"|(?:https?://|mailto:)[^<>|\s]+(?:\|[^<>]*)?)>"
)
_BARE_LINK = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\]}'\"]")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")


def clean(text: object) -> str:
    """Any value as text that can be sent as UTF-8: a lone surrogate becomes a question mark."""
    return str("" if text is None else text).encode("utf-8", "replace").decode()


def escape(text: str) -> str:
    """Slack escapes exactly these three characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def typed(text: str) -> str:
    """A person's text as it arrives in a message: escaped, with bare links put in angle brackets."""
    return "".join(piece if is_markup else _plain(piece) for piece, is_markup in _pieces(text))


def commanded(text: str, names: Mapping[str, str], should_escape: bool) -> str:
    """A person's text as it arrives in a slash command.

    With the manifest's `should_escape` false, mentions and links arrive as the words on the screen.
    """
    if should_escape:
        return typed(text)
    return "".join(
        escape(_as_seen(piece, names)) if is_markup else escape(piece) for piece, is_markup in _pieces(text)
    )


def mentions(text: str, user: str) -> bool:
    """Whether a message's text names this user."""
    return user in _MENTION.findall(text)


def rich_text(text: str, block_id: str) -> list[dict[str, Any]]:
    """The rich_text block that Slack's client sends along with a person's message."""
    elements: list[dict[str, Any]] = []
    for piece, is_markup in _pieces(text):
        if not is_markup:
            elements.append({"type": "text", "text": piece})
        elif piece.startswith("<@"):
            elements.append({"type": "user", "user_id": piece[2:-1].partition("|")[0]})
        elif piece.startswith("<#"):
            elements.append({"type": "channel", "channel_id": piece[2:-1].partition("|")[0]})
        elif piece.startswith("<!"):
            elements.append({"type": "broadcast", "range": re.split(r"[|^]", piece[2:-1])[0]})
        else:
            url, _, label = piece[1:-1].partition("|")
            elements.append({"type": "link", "url": url, **({"text": label} if label else {})})
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": block_id, "elements": [section]}]


def _pieces(text: str) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    end = 0
    for found in _MARKUP.finditer(text):
        if found.start() > end:
            pieces.append((text[end : found.start()], False))
        pieces.append((found.group(), True))
        end = found.end()
    if end < len(text):
        pieces.append((text[end:], False))
    return pieces


def _plain(piece: str) -> str:
    out, end = [], 0
    for found in _BARE_LINK.finditer(piece):
        out.append(escape(piece[end : found.start()]))
        out.append(f"<{escape(found.group())}>")
        end = found.end()
    out.append(escape(piece[end:]))
    return "".join(out)


def _as_seen(markup: str, names: Mapping[str, str]) -> str:
    inner = markup[1:-1]
    target, _, label = inner.partition("|")
    if inner[0] in "@#":
        return f"{inner[0]}{label or names.get(target[1:], target[1:])}"
    if inner[0] == "!":
        return f"@{label or target[1:]}"
    return label or target
