"""Block Kit's rules for blocks and what is in them.

Sources: https://docs.slack.dev/reference/block-kit/blocks (counts and lengths for each block), the markdown and
table block pages, and shared/facts/slack.md 3.7 for the budget of a whole message, which Slack does not document.
"""

from collections.abc import Callable
from typing import Any

from playground.slack import charts, elements
from playground.slack.checks import Complaints, choice, items, required, text_object, words
from playground.slack.errors import SlackError

MOST_IN_MESSAGE = 50
MOST_IN_VIEW = 100
# Slack: the markdown blocks of one payload together.
MARKDOWN = 12_000
# Measured by others (bolt-js#2509, metabase PR 79908): beyond this Slack answers msg_blocks_too_long.
MESSAGE_BUDGET = 13_200
# Slack: the cells of all tables together.
TABLE_CHARACTERS = 10_000

Block = dict[str, Any]


def checked(blocks: object, view: bool = False) -> list[Block]:
    """The blocks with ids filled in, or SlackError `invalid_blocks` with what is wrong and where.

    For a message the whole must also keep within the budget, else `msg_blocks_too_long`.
    """
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    complaints = Complaints()
    most = MOST_IN_VIEW if view else MOST_IN_MESSAGE
    if len(blocks) > most:
        complaints.add("/blocks", f"no more than {most} items allowed")
        raise SlackError("invalid_blocks", complaints.lines)
    seen: set[str] = set()
    for number, block in enumerate(blocks):
        _block(complaints, f"/blocks/{number}", block, view)
        if isinstance(block, dict) and isinstance(block.get("block_id"), str) and block["block_id"]:
            if block["block_id"] in seen:
                complaints.add(f"/blocks/{number}/block_id", f"`block_id` {block['block_id']} already exists")
            seen.add(block["block_id"])
    if not complaints.lines:
        _together(complaints, blocks)
    if complaints.lines:
        raise SlackError("invalid_blocks", complaints.lines)
    if not view and sum(length(block) for block in blocks) > MESSAGE_BUDGET:
        raise SlackError("msg_blocks_too_long")
    return [_with_ids(number, block) for number, block in enumerate(blocks)]


def length(value: Any) -> int:
    """Characters of text that people will see in a block."""
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(length(item) for item in value.values() if isinstance(item, dict | list))
    if isinstance(value, list):
        return sum(length(item) for item in value)
    return 0


def actions_in(blocks: list[Block]) -> list[tuple[Block, dict[str, Any]]]:
    """Every interactive element with the block it is in."""
    found = []
    for block in blocks:
        candidates = [*(block.get("elements") or []), block.get("accessory"), block.get("element")]
        found += [(block, item) for item in candidates if isinstance(item, dict) and "action_id" in item]
    return found


def _with_ids(number: int, block: Block) -> Block:
    # Slack gives a short id of its own to blocks and actions that came without. The markdown block loses even
    # an id it had (its reference page), which nothing here leans on.
    named = dict(block)
    named.setdefault("block_id", f"b{number}")
    if isinstance(named.get("elements"), list) and named.get("type") in ("actions", "context_actions"):
        named["elements"] = [
            {**item, "action_id": item.get("action_id") or f"a{number}-{index}"}
            for index, item in enumerate(named["elements"])
        ]
    for name in ("accessory", "element"):
        item = named.get(name)
        if isinstance(item, dict) and item.get("type") != "image":
            named[name] = {**item, "action_id": item.get("action_id") or f"a{number}"}
    return named


def _block(to: Complaints, at: str, block: object, view: bool) -> None:
    if not isinstance(block, dict):
        to.add(at, "must be an object")
        return
    kind = block.get("type")
    check = _KINDS.get(kind) if isinstance(kind, str) else None
    if check is None or (view and kind in _MESSAGE_ONLY):
        to.add(f"{at}/type", f"unsupported type: {kind}"[:200])
        return
    words(to, at, block, "block_id", most=255, least=0)
    check(to, at, block)
    elements.unique_actions(to, at, block)


def _together(to: Complaints, blocks: list[Block]) -> None:
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MARKDOWN:
        to.add("/blocks", f"markdown text must be less than {MARKDOWN + 1} characters in total")
    tables = [block for block in blocks if block["type"] == "table"]
    if len(tables) > 1:
        to.add("/blocks", "only_one_table_allowed")
    if sum(block["type"] == "data_visualization" for block in blocks) > charts.MOST_IN_A_MESSAGE:
        to.add("/blocks", f"no more than {charts.MOST_IN_A_MESSAGE} charts allowed")
    if sum(length(table) for table in tables) > TABLE_CHARACTERS:
        to.add("/blocks", f"table text must be less than {TABLE_CHARACTERS + 1} characters in total")


def _section(to: Complaints, at: str, block: Block) -> None:
    if "text" not in block and "fields" not in block:
        to.add(at, "missing required field: text or fields")
    if "text" in block:
        text_object(to, f"{at}/text", block["text"], 3000)
    if "fields" in block:
        for number, item in enumerate(items(to, at, block, "fields", most=10)):
            text_object(to, f"{at}/fields/{number}", item, 2000)
    if "accessory" in block:
        elements.element(to, f"{at}/accessory", block["accessory"], elements.ACCESSORIES)


def _header(to: Complaints, at: str, block: Block) -> None:
    if required(to, at, block, "text"):
        text_object(to, f"{at}/text", block["text"], 150, plain=True)


def _context(to: Complaints, at: str, block: Block) -> None:
    for number, item in enumerate(items(to, at, block, "elements", most=10)):
        if isinstance(item, dict) and item.get("type") == "image":
            elements.element(to, f"{at}/elements/{number}", item, {"image"})
        else:
            text_object(to, f"{at}/elements/{number}", item, 3000)


def _actions(to: Complaints, at: str, block: Block) -> None:
    for number, item in enumerate(items(to, at, block, "elements", most=25)):
        elements.element(to, f"{at}/elements/{number}", item, elements.ACTIONS)


def _context_actions(to: Complaints, at: str, block: Block) -> None:
    for number, item in enumerate(items(to, at, block, "elements", most=5)):
        elements.element(to, f"{at}/elements/{number}", item, {"feedback_buttons", "icon_button"})


def _input(to: Complaints, at: str, block: Block) -> None:
    if required(to, at, block, "label"):
        text_object(to, f"{at}/label", block["label"], 2000, plain=True)
    if "hint" in block:
        text_object(to, f"{at}/hint", block["hint"], 2000, plain=True)
    if required(to, at, block, "element"):
        elements.element(to, f"{at}/element", block["element"], elements.INPUTS)


def _image(to: Complaints, at: str, block: Block) -> None:
    if "image_url" not in block and "slack_file" not in block:
        to.add(at, "missing required field: image_url or slack_file")
    words(to, at, block, "image_url", most=3000)
    words(to, at, block, "alt_text", most=2000, least=0, needed=True)
    if "title" in block:
        text_object(to, f"{at}/title", block["title"], 2000, plain=True)


def _markdown(to: Complaints, at: str, block: Block) -> None:
    words(to, at, block, "text", most=MARKDOWN, needed=True)


def _table(to: Complaints, at: str, block: Block) -> None:
    for number, row in enumerate(items(to, at, block, "rows", most=100)):
        if not isinstance(row, list) or len(row) > 20:
            to.add(f"{at}/rows/{number}", "must be a list of no more than 20 cells")
        elif any(not isinstance(cell, dict) or cell.get("type") not in _CELLS for cell in row):
            to.add(f"{at}/rows/{number}", "cells must be raw_text, raw_number or rich_text")
    if "column_settings" in block:
        items(to, at, block, "column_settings", most=20)


def _rich_text(to: Complaints, at: str, block: Block) -> None:
    known = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
    for number, item in enumerate(items(to, at, block, "elements", most=1000, least=0)):
        if not isinstance(item, dict) or item.get("type") not in known:
            to.add(f"{at}/elements/{number}", "unsupported rich text element")
        elif not isinstance(item.get("elements"), list):
            to.add(f"{at}/elements/{number}", "missing required field: elements")


def _video(to: Complaints, at: str, block: Block) -> None:
    for name in ("video_url", "thumbnail_url", "alt_text"):
        words(to, at, block, name, most=3000, needed=True)
    if required(to, at, block, "title"):
        text_object(to, f"{at}/title", block["title"], 200, plain=True)


def _file(to: Complaints, at: str, block: Block) -> None:
    words(to, at, block, "external_id", most=255, needed=True)
    choice(to, at, block, "source", {"remote"}, needed=True)


def _anything(to: Complaints, at: str, block: Block) -> None:
    """A block that is known by its name only; its page sets limits that the product does not lean on."""


_CELLS = ("raw_text", "raw_number", "rich_text")
_KINDS: dict[str, Callable[[Complaints, str, Block], None]] = {
    "section": _section,
    "header": _header,
    "divider": _anything,
    "context": _context,
    "actions": _actions,
    "context_actions": _context_actions,
    "input": _input,
    "image": _image,
    "markdown": _markdown,
    "table": _table,
    "rich_text": _rich_text,
    "video": _video,
    "file": _file,
    "data_visualization": charts.chart,
    **dict.fromkeys(
        [
            "alert",
            "call",
            "card",
            "carousel",
            "container",
            "data_table",
            "plan",
            "task_card",
        ],
        _anything,
    ),
}
_MESSAGE_ONLY = frozenset(
    ["markdown", "table", "file", "context_actions", "plan", "task_card", "data_table", "data_visualization"]
)
