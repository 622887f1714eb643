"""Slack's rate limits: a bucket of tokens for each method, and for posting one for each channel.

Source: https://docs.slack.dev/apis/web-api/rate-limits ("1 message per second per channel", tiers of 1+, 20+,
50+ and 100+ calls a minute, "short bursts"), and each method's page for its tier. Slack does not publish how
large a burst may be: here a burst of five messages, and for the tiers one whole minute's calls at once. Tier 1
gets a minute's burst of 20, because processes that start together each open their socket.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """How many calls may come at once, and how many a second after that."""

    burst: int
    per_second: float
    by_channel: bool = False


TIERS = {1: Limit(20, 1 / 60), 2: Limit(20, 20 / 60), 3: Limit(50, 50 / 60), 4: Limit(100, 100 / 60)}
POSTING = Limit(5, 1.0, by_channel=True)
# auth.test "allows hundreds of requests per minute"; setting a status is Slack's special tier for assistants.
SPECIAL = Limit(600, 10.0)

_BY_TIER = {
    1: ("apps.connections.open",),
    2: ("conversations.list", "users.list", "reactions.remove", "chat.startStream", "chat.stopStream"),
    3: [
        "chat.update",
        "chat.delete",
        "conversations.info",
        "conversations.history",
        "conversations.replies",
        "conversations.join",
        "conversations.open",
        "users.conversations",
        "reactions.add",
        "bots.info",
        "team.info",
        "agents.sessions.setStatus",
    ],
    4: [
        "chat.postEphemeral",
        "chat.appendStream",
        "conversations.members",
        "users.info",
        "files.info",
        "views.open",
        "views.push",
        "views.update",
        "views.publish",
        "files.getUploadURLExternal",
        "files.completeUploadExternal",
        "api.test",
    ],
}
LIMITS: dict[str, Limit] = {
    **{method: TIERS[tier] for tier, methods in _BY_TIER.items() for method in methods},
    "chat.postMessage": POSTING,
    "auth.test": SPECIAL,
    "chat.getPermalink": SPECIAL,
    "assistant.threads.setStatus": SPECIAL,
}


class Limits:
    """Counts calls. `enforce` can be switched off by a control call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.enforce = True
        self._clock = clock
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, method: str, channel: str) -> int:
        """Count one call. Returns 0 when it may pass, else the whole seconds for `Retry-After`."""
        limit = LIMITS.get(method)
        if limit is None or not self.enforce:
            return 0
        key = (method, channel if limit.by_channel else "")
        now = self._clock()
        tokens, since = self._buckets.get(key, (float(limit.burst), now))
        tokens = min(float(limit.burst), tokens + (now - since) * limit.per_second)
        if tokens < 1:
            self._buckets[key] = (tokens, now)
            return max(1, math.ceil((1 - tokens) / limit.per_second))
        self._buckets[key] = (tokens - 1, now)
        return 0
