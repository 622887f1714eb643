"""The make-believe GPU: slots, a queue, memory, and the record of what truly went on.

A call is open from its arrival until its last byte is sent or its client is gone; it holds a slot and memory
from its turn on. Memory is counted in tokens of KV cache and reserved whole (prompt and longest answer) at the
turn, which is coarser than paged attention: profiles with preemption are for the issue "The line".
"""

import asyncio
import itertools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from playground.model.shape import Shape

REMEMBERED = 1000  # calls kept for the control API


class Busy(Exception):
    """The queue is full."""


class OutOfMemory(Exception):
    """The memory is full."""


@dataclass(eq=False)
class Call:
    """One request, from arrival to end. Times are seconds since the epoch."""

    id: str
    model: str
    tokens_in: int
    tokens_reserved: int
    started: float
    state: str = "waiting"  # then prefill, running, and at the end done, refused, gone or failed
    tokens_out: int = 0
    ended: float | None = None
    turn: asyncio.Event = field(default_factory=asyncio.Event)

    def as_json(self) -> dict[str, Any]:
        """What the control API shows of it: never its text."""
        names = ("id", "state", "tokens_in", "tokens_out", "started", "ended", "model")
        return {name: getattr(self, name) for name in names}


class Engine:
    """Who is in, who waits, and how many there were."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.running: set[Call] = set()
        self.waiting: deque[Call] = deque()
        self.calls: deque[Call] = deque(maxlen=REMEMBERED)
        self.peak_in_flight = self.served = self.refused = 0
        self._numbers = itertools.count(1)
        self._ready_at = time.monotonic() + shape.loading_seconds

    @property
    def in_flight(self) -> int:
        """Calls that are open, those waiting for a slot included."""
        return len(self.running) + len(self.waiting)

    @property
    def memory_used(self) -> int:
        """Tokens of KV cache held by running calls."""
        return sum(call.tokens_reserved for call in self.running)

    @property
    def loading_left(self) -> float:
        """Seconds until the model is loaded; 0 when it is."""
        return max(0.0, self._ready_at - time.monotonic())

    def become(self, shape: Shape, *, reload: bool) -> None:
        """Take another shape. Calls that run keep their slots; `reload` starts loading anew."""
        self.shape = shape
        if reload:
            self._ready_at = time.monotonic() + shape.loading_seconds
        self._admit()

    def forget(self) -> None:
        """Start counting anew."""
        self.calls.clear()
        self.peak_in_flight, self.served, self.refused = self.in_flight, 0, 0

    def arrive(self, model: str, tokens_in: int, max_tokens: int) -> Call:
        """Record a new call; it has no place yet."""
        number = next(self._numbers)
        call = Call(f"chatcmpl-{number}", model, tokens_in, tokens_in + max_tokens, time.time())
        self.calls.append(call)
        return call

    async def enter(self, call: Call) -> None:
        """Wait for a slot. Raises Busy when the queue is full, OutOfMemory when the memory is.

        Cancelling gives the place up; `leave` must be called in every case.
        """
        shape = self.shape
        if not self.waiting and len(self.running) < shape.slots and self._fits(call):
            self._start(call)
            self._count()
            return
        if shape.queue is not None and len(self.waiting) >= shape.queue:
            raise Busy
        if self._never_fits(call):
            raise OutOfMemory
        if len(self.running) < shape.slots and not self._fits(call) and shape.memory_full != "wait":
            raise OutOfMemory
        self.waiting.append(call)
        self._count()
        await call.turn.wait()
        if call not in self.running:
            raise OutOfMemory

    def leave(self, call: Call, state: str) -> None:
        """The call is over: done, refused, failed or gone. Frees what it held, at once."""
        self.running.discard(call)
        if call in self.waiting:
            self.waiting.remove(call)
        call.state, call.ended = state, time.time()
        self.served += state == "done"
        self.refused += state == "refused"
        self._admit()

    def _admit(self) -> None:
        while self.waiting and len(self.running) < self.shape.slots:
            call = self.waiting[0]
            if self._fits(call):
                self._start(call)
            elif self.shape.memory_full == "wait" and not self._never_fits(call):
                return
            self.waiting.popleft()
            call.turn.set()  # without a slot it wakes up to find the memory full

    def _start(self, call: Call) -> None:
        call.state = "prefill"
        self.running.add(call)

    def _count(self) -> None:
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def _fits(self, call: Call) -> bool:
        limit = self.shape.memory_tokens
        return limit is None or self.memory_used + call.tokens_reserved <= limit

    def _never_fits(self, call: Call) -> bool:
        limit = self.shape.memory_tokens
        return limit is not None and call.tokens_reserved > limit
