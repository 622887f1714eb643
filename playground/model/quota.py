"""Requests and tokens per minute, as hosted APIs count them: token buckets that fill all the time.

OpenAI counts a request with the higher of `max_tokens` and its prompt's estimate, when it arrives, and may enforce
a limit per minute over shorter times (https://platform.openai.com/docs/guides/rate-limits).
"""

import math
from dataclasses import dataclass

from playground.model.shape import Shape


class Spent(Exception):
    """Not enough is left. `seconds` until there is, and the limit's own words."""

    def __init__(self, kind: str, limit: int, used: int, requested: int, seconds: float) -> None:
        super().__init__(kind)
        self.kind, self.limit, self.used, self.requested, self.seconds = kind, limit, used, requested, seconds

    @property
    def retry_after(self) -> int:
        """Whole seconds (RFC 9110), 1 at least."""
        return max(1, math.ceil(self.seconds))


@dataclass
class Bucket:
    """`per_minute` come in all the time; at most `most` are kept."""

    kind: str
    per_minute: int
    most: float
    left: float
    at: float

    def fill(self, now: float) -> None:
        """Add what has come in since the last time."""
        self.left = min(self.most, self.left + (now - self.at) * self.per_minute / 60)
        self.at = now

    def check(self, cost: int) -> None:
        """Raise Spent when `cost` cannot be taken now. What is larger than the bucket takes all of it, and a debt."""
        short = min(cost, self.most) - self.left
        if short > 1e-9:
            used = round(self.per_minute * (1 - self.left / self.most))
            raise Spent(self.kind, self.per_minute, used, cost, short * 60 / self.per_minute)


class Quota:
    """The two buckets of a shape; those without a limit are not there."""

    def __init__(self, shape: Shape, now: float) -> None:
        self._requests = _bucket("requests", shape.requests_per_minute, shape.burst_seconds, now)
        self._tokens = _bucket("tokens", shape.tokens_per_minute, shape.burst_seconds, now)

    def take(self, prompt_tokens: int, max_tokens: int, now: float) -> None:
        """Pay for one call, or raise Spent and pay nothing."""
        prices = [(self._requests, 1), (self._tokens, max(prompt_tokens, max_tokens))]
        for bucket, cost in prices:
            if bucket is not None:
                bucket.fill(now)
                bucket.check(cost)
        for bucket, cost in prices:
            if bucket is not None:
                bucket.left -= cost


def _bucket(kind: str, per_minute: int | None, burst: float, now: float) -> Bucket | None:
    if per_minute is None:
        return None
    most = max(1.0, per_minute * burst / 60)
    return Bucket(kind, per_minute, most, most, now)
