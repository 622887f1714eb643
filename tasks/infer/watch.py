"""Keeps one call within its limits of time, and asks the caller whether to go on."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import httpcore

from tasks.infer.answer import Gathering
from tasks.infer.errors import Broken, Stopped

OnProgress = Callable[[str, int], bool]

_TICK = 1.0  # seconds between two questions to the caller while the server is silent


@dataclass(frozen=True)
class Limits:
    """How long to wait: to connect, until the first token, between two chunks after it, and in all."""

    connect: timedelta
    stall: timedelta
    first: timedelta
    total: timedelta


class Watch:
    """One call's clock."""

    def __init__(
        self, limits: Limits, gathering: Gathering, on_progress: OnProgress, clock: Callable[[], float]
    ) -> None:
        self.gathering = gathering
        self.answered = False  # the status and headers are here
        self._on_progress, self._clock, self._limits = on_progress, clock, limits
        self._begun = self._heard = clock()

    def left(self) -> float:
        """Seconds that the next silence may last; raises Broken when a limit is passed."""
        now = self._clock()
        bounds = [(self._begun, self._limits.total, "the answer was not complete after")]
        if self.gathering.started:
            bounds.append((self._heard, self._limits.stall, "the server stalled: nothing came for"))
        else:
            # Before its first token a server may be silent for long: it reads the prompt, or queues the call.
            bounds.append((self._begun, self._limits.first, "no first token in"))
        left = math.inf
        for since, limit, words in bounds:
            left = min(left, since + limit.total_seconds() - now)
            if left <= 0:
                raise Broken(f"{words} {limit.total_seconds():g} s")
        return left

    def heard(self) -> None:
        """Bytes came."""
        self._heard = self._clock()

    def ask(self) -> None:
        """Tell the caller how far it is; raises Stopped when the caller wants no more."""
        if not self._on_progress(self.gathering.text, round(self.gathering.estimate)):
            raise Stopped("stopped by the caller")

    def guard(self, stream: httpcore.NetworkStream) -> None:
        """Make a connection's reads short, so that limits and the caller's wish hold while the server is silent.

        httpx takes one time-out for all reads of a response, and begins it anew at every byte.
        """
        read = stream.read

        def watched(max_bytes: int, timeout: float | None = None) -> bytes:
            while True:
                try:
                    data = read(max_bytes, min(_TICK, self.left()))
                except httpcore.ReadTimeout:
                    self.left()
                    self.ask()
                else:
                    self.heard()
                    return data

        stream.read = watched  # type: ignore[method-assign]  # httpcore has no hook for this.
