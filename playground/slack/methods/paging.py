"""Pages and cursors: https://docs.slack.dev/apis/web-api/pagination"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from playground.slack.call import Call
from playground.slack.errors import SlackError


def page(call: Call, items: Sequence[Any], default: int = 100, most: int = 1000) -> tuple[list[Any], str]:
    """The items that this call asks for and the cursor of the next page, empty at the end."""
    limit = call.number("limit", default, most)
    start = _offset(call.text("cursor"))
    if start > len(items):
        raise SlackError("invalid_cursor")
    end = start + limit
    cursor = base64.b64encode(f"next_offset:{end}".encode()).decode() if end < len(items) else ""
    return list(items[start:end]), cursor


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        word, _, number = base64.b64decode(cursor, validate=True).decode().partition(":")
        if word == "next_offset" and number.isascii() and number.isdigit() and len(number) < 10:
            return int(number)
    except (binascii.Error, ValueError) as error:
        raise SlackError("invalid_cursor") from error
    raise SlackError("invalid_cursor")
