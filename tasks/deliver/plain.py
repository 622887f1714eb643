"""What blocks say, as mrkdwn text: for notifications, screen readers and searches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tasks.deliver import defuse

Element = dict[str, Any]

# Slack cuts `text` off at 40,000 characters (docs.slack.dev/reference/methods/chat.postMessage).
MAX_TEXT = 39_000
_FENCE = "```"


def text(blocks: Iterable[Element]) -> str:
    """The fallback of a message: everything it says, escaped, without its styles."""
    whole = "\n\n".join(part for part in map(_block, blocks) if part.strip())
    return bounded(whole, MAX_TEXT)


def bounded(mrkdwn: str, limit: int) -> str:
    """mrkdwn within `limit`, cut neither inside an entity nor a link, every fence closed."""
    if defuse.size(mrkdwn) <= limit:
        return mrkdwn
    room = limit - len(defuse.ELLIPSIS) - len(_FENCE) - 1
    kept = mrkdwn[: defuse.fitting(mrkdwn, room)]
    opened, closed = kept.rfind("<"), kept.rfind(">")
    if opened > closed:
        kept = kept[:opened]
    entity = kept.rfind("&", max(len(kept) - 5, 0))
    if entity >= 0 and ";" not in kept[entity:]:
        kept = kept[:entity]
    fence = f"\n{_FENCE}" if kept.count(_FENCE) % 2 else ""
    return kept.rstrip() + defuse.ELLIPSIS + fence


def _block(block: Element) -> str:
    kind = block["type"]
    if kind == "header":
        return _inline([block["text"]])
    if kind == "rich_text":
        return "\n".join(map(_element, block["elements"]))
    if kind == "table":
        return "\n".join(" | ".join(map(_block, row)) for row in block["rows"])
    return "———" if kind == "divider" else ""


def _element(element: Element) -> str:
    kind = element["type"]
    if kind == "rich_text_list":
        return _list(element)
    if kind == "rich_text_preformatted":
        return f"{_FENCE}\n{_inline(element['elements'])}\n{_FENCE}"
    said = _inline(element["elements"])
    return said if kind == "rich_text_section" else "\n".join(f"> {line}" for line in said.split("\n"))


def _list(element: Element) -> str:
    indent = "    " * element["indent"]
    first = element.get("offset", 0) + 1
    ordered = element["style"] == "ordered"
    return "\n".join(
        f"{indent}{f'{number}.' if ordered else '•'} {_inline(item['elements'])}"
        for number, item in enumerate(element["elements"], first)
    )


def _inline(runs: Iterable[Element]) -> str:
    # Three backticks of the text's own would open a fence, or end one early.
    return "".join(map(_run, runs)).replace("``", f"`{defuse.JOINER}`")


def _run(run: Element) -> str:
    said = defuse.entities(run.get("text", ""))
    if run["type"] != "link":
        return said
    # A bar would end the address of a mrkdwn link, and a line end the link.
    label = said.replace("|", "¦").replace("\n", " ")
    return f"<{defuse.entities(run['url'])}|{label}>"
