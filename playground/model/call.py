"""One call at the model server: who asked, how far it is, and when it got there."""

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Call:
    """One request, from arrival to end. Times are seconds since the epoch."""

    id: str
    model: str
    user: str
    tokens_in: int
    max_tokens: int
    arrived: float
    state: str = "waiting"  # then prefill, running, and at the end done, refused, gone or failed
    tokens_out: int = 0
    started: float | None = None  # when it got its slot, the first time
    first: float | None = None  # when its first token was made
    ended: float | None = None
    preempted: int = 0  # how many times

    # How far it may go: `goal` tokens now, and there it ends if that is `last`.
    goal: int = 0
    last: bool = False
    read: int = 0  # prompt tokens prefilled for the first time
    cached: int = 0  # tokens of KV cache it holds in a batching engine
    reached: int = 0  # the most it ever held
    # At a pace of its own: the engine's time from which tokens come, and how many there were then.
    ready_at: float = 0.0
    paced_from: float | None = None
    paced_tokens: int = 0

    told: int = 0  # tokens that its stream knows of
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def tokens_reserved(self) -> int:
        """KV cache for the prompt and the longest answer it may get."""
        return self.tokens_in + self.max_tokens

    @property
    def missing(self) -> int:
        """Tokens not yet computed. The newest token is known but not cached, so one is always missing."""
        return self.tokens_in + self.tokens_out - self.cached

    @property
    def complete(self) -> bool:
        """Whether all its tokens are made."""
        return self.last and self.tokens_out >= self.goal

    def as_json(self) -> dict[str, Any]:
        """What the control API shows of it: never its text."""
        return {name: getattr(self, name) for name in _SHOWN}


_SHOWN = (
    "id",
    "state",
    "user",
    "model",
    "tokens_in",
    "tokens_out",
    "arrived",
    "started",
    "first",
    "ended",
    "preempted",
)
