"""Slack's limits and dangers, checked on a payload: written from Slack's docs, sharing no code with the product.

Sources: docs.slack.dev/reference/block-kit (blocks, elements, composition objects),
docs.slack.dev/messaging/formatting-message-text, docs.slack.dev/reference/methods/chat.postMessage.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

LEAF_KEYS = {"text", "link"}
RICH = {"rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"}
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
# Read as people and lenient parsers do: full-width as ASCII, invisible signs skipped, case ignored.
PING = re.compile(
    r"<!(channel|here|everyone|group|subteam|date)|<@[uw][a-z0-9]|<#[cg][a-z0-9]"
    # An e-mail address pings nobody.
    r"|(?<![a-z0-9])@(channel|here|everyone)|@(channel|here|everyone)(?!\.[a-z])"
)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def read(text: str) -> str:
    """`text` as it would be read; U+2060, the product's way of defusing, stays visible."""
    kept = "".join(char for char in text if char not in "\u200b\u200c\u200d\ufeff\u3164\u115f\u1160\xad")
    return unicodedata.normalize("NFKC", kept).lower()


def violations(message: Any, *, allow_user: str | None = None) -> list[str]:
    """Everything in `message` (with .blocks and .text) that Slack would refuse or that would ping."""
    found: list[str] = []
    blocks = message.blocks
    if not 1 <= len(blocks) <= 50:
        found.append(f"{len(blocks)} blocks")
    if sum(block["type"] == "table" for block in blocks) > 1:
        found.append("more than one table")
    if sum(block["type"] == "data_visualization" for block in blocks) > 2:
        found.append("more than two charts")
    if sum(units(text) for block in blocks for text in texts(block)) > 12_000:
        found.append("more than 12,000 characters")
    for block in blocks:
        found += CHECKS[block["type"]](block) if block["type"] in CHECKS else [f"block {block['type']}"]
    for block in blocks:
        found += dangers(block, allow_user)
    found += mrkdwn(message.text, 40_000, allow_user)
    return found


def texts(value: Any) -> list[str]:
    """All visible strings of a block, and the addresses of its links."""
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    if not isinstance(value, dict):
        return []
    own = [value[key] for key in ("text", "url") if isinstance(value.get(key), str)]
    return own + [text for item in value.values() for text in texts(item)]


def dangers(value: Any, allow_user: str | None) -> list[str]:
    if isinstance(value, list):
        return [danger for item in value for danger in dangers(item, allow_user)]
    if not isinstance(value, dict):
        return []
    found = []
    kind = value.get("type")
    if kind in {"user", "usergroup", "broadcast", "channel", "team", "image", "emoji", "date", "color"}:
        found.append(f"{kind} element")
    if kind in RICH and "elements" in value and kind != "rich_text_list":
        whole = "".join(leaf.get("text", "") for leaf in value["elements"])
        if PING.search(read(whole)):
            found.append(f"ping in {whole!r}")
    if kind == "plain_text" and PING.search(read(value["text"])):
        found.append(f"ping in {value['text']!r}")
    if kind == "mrkdwn":
        found += mrkdwn(value["text"], 3000, allow_user)
    for text in (value[key] for key in ("text", "url") if isinstance(value.get(key), str)):
        if HIDDEN.search(text):
            found.append(f"hidden sign in {text!r}")
    return found + [danger for item in value.values() for danger in dangers(item, allow_user)]


def mrkdwn(text: str, limit: int, allow_user: str | None) -> list[str]:
    found = []
    if not text.strip() or units(text) > limit:
        found.append(f"mrkdwn of {units(text)} characters")
    rest = re.sub(r"<(https?://|mailto:)[^<>|\s]+(\|[^<>|\n]*)?>", "", text)
    if allow_user:
        rest = rest.replace(f"<@{allow_user}>", "")
    if "<" in rest or PING.search(read(rest)):
        found.append(f"live markup in {rest!r}")
    if re.search(r"&(?!amp;|lt;|gt;)", text):
        found.append(f"half an entity in {text!r}")
    if text.count("```") % 2:
        found.append("an open fence")
    return found


def rich_text(block: dict[str, Any]) -> list[str]:
    found = [] if block["elements"] else ["empty rich_text"]
    for element in block["elements"]:
        if element["type"] not in RICH:
            found.append(f"rich_text holds {element['type']}")
        elif element["type"] == "rich_text_list":
            found += [] if element["elements"] else ["empty list"]
            found += [] if 0 <= element["indent"] <= 8 else ["indent"]
            found += [] if element["style"] in ("bullet", "ordered") else ["list style"]
            for item in element["elements"]:
                found += leaves(item) if item["type"] == "rich_text_section" else ["list item type"]
        else:
            found += leaves(element)
    return found


def leaves(element: dict[str, Any]) -> list[str]:
    found = [] if element["elements"] else [f"empty {element['type']}"]
    for leaf in element["elements"]:
        if leaf["type"] not in LEAF_KEYS or not leaf["text"]:
            found.append(f"leaf {leaf}")
        if leaf["type"] == "link" and not re.match(
            r"(https?://[^\s<>|]|mailto:[^\s<>|])[^\s<>|]{0,2999}\Z", leaf["url"]
        ):
            found.append(f"url {leaf['url']!r}")
        if set(leaf.get("style", {})) - {"bold", "italic", "strike", "code"}:
            found.append("style")
    return found


def table(block: dict[str, Any]) -> list[str]:
    rows = block["rows"]
    found = [] if 1 <= len(rows) <= 100 else [f"{len(rows)} rows"]
    if any(not 1 <= len(row) <= 20 for row in rows) or len({len(row) for row in rows}) != 1:
        found.append("columns")
    if len(block.get("column_settings", [])) > 20:
        found.append("column settings")
    if sum(units(text) for text in texts(rows)) > 10_000:
        found.append("table of more than 10,000 characters")
    for cell in (cell for row in rows for cell in row):
        found += rich_text(cell)
        if not "".join(texts(cell)).strip():
            found.append("empty cell")
    return found


def header(block: dict[str, Any]) -> list[str]:
    return plain(block["text"], 150)


def plain(value: dict[str, Any], limit: int) -> list[str]:
    good = value["type"] == "plain_text" and 1 <= units(value["text"]) <= limit and value["text"].strip()
    return [] if good else [f"plain text {value}"]


def section(block: dict[str, Any]) -> list[str]:
    if block["text"]["type"] == "plain_text":
        return plain(block["text"], 3000)
    return [] if block["text"]["type"] == "mrkdwn" else ["section text"]


def context(block: dict[str, Any]) -> list[str]:
    return [] if 1 <= len(block["elements"]) <= 10 else ["context elements"]


def actions(block: dict[str, Any]) -> list[str]:
    found = [] if 1 <= len(block["elements"]) <= 25 else ["actions elements"]
    for button in block["elements"]:
        found += plain(button["text"], 75)
        found += (
            [] if len(button["action_id"]) <= 255 and units(button.get("value", "")) <= 2000 else ["button"]
        )
        found += [] if button.get("style") in (None, "primary", "danger") else ["button style"]
        found += [] if 1 <= len(button.get("accessibility_label", "-")) <= 75 else ["button label"]
        if "confirm" in button:
            confirm = button["confirm"]
            for key, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
                found += plain(confirm[key], limit)
    return found


def context_actions(block: dict[str, Any]) -> list[str]:
    found = [] if 1 <= len(block["elements"]) <= 5 else ["context_actions elements"]
    for element in block["elements"]:
        found += [] if element["type"] == "feedback_buttons" else ["context_actions element"]
        for thumb in (element["positive_button"], element["negative_button"]):
            found += plain(thumb["text"], 75)
            found += [] if 1 <= units(thumb["value"]) <= 2000 else ["thumb value"]
            found += [] if 1 <= len(thumb["accessibility_label"]) <= 75 else ["thumb label"]
    return found


def chart(block: dict[str, Any]) -> list[str]:
    found = [] if 1 <= units(block["title"]) <= 50 else ["chart title"]
    if block["chart"]["type"] != "pie":
        return [*found, "a chart that the product does not make"]
    segments = block["chart"]["segments"]
    # The docs are read as 12 by one client library and as 6 by another.
    found += [] if 1 <= len(segments) <= 6 else [f"{len(segments)} segments"]
    labels = [segment["label"] for segment in segments]
    found += [] if len(set(labels)) == len(labels) else ["labels that look the same"]
    found += [f"label {label!r}" for label in labels if not 1 <= units(label) <= 20]
    found += [f"ping in {text!r}" for text in (block["title"], *labels) if PING.search(read(text))]
    found += [f"hidden sign in {text!r}" for text in (block["title"], *labels) if HIDDEN.search(text)]
    return found + [f"value {one['value']}" for one in segments if not one["value"] > 0]


CHECKS = {
    "data_visualization": chart,
    "rich_text": rich_text,
    "table": table,
    "header": header,
    "section": section,
    "context": context,
    "actions": actions,
    "context_actions": context_actions,
    "divider": lambda _: [],
}
