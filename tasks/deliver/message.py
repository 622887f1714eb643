"""A Slack message: blocks, and the text for whoever does not see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    """`text` is mrkdwn: what a notification and a screen reader say."""

    blocks: list[dict[str, Any]]
    text: str
