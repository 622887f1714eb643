"""The make-believe GPU: who is in, who waits, and what is made for whom, by one clock and one timer.

A call is open from its arrival until its last token is made or its client is gone; it holds a slot and memory from
its turn on. Tokens are counted when they are made. Nothing happens between two looks at the clock: `advance` works
out what a real server would have done since the last one, step by step (batch.py) or call by call (pace.py).

Memory: a batching engine counts what each call has used; otherwise the whole prompt and longest answer are reserved
at the turn.
"""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Callable

from playground.model import batch, pace
from playground.model.call import Call
from playground.model.quota import Quota, Spent
from playground.model.record import REMEMBERED, Record
from playground.model.shape import Shape

__all__ = ["Busy", "Call", "Engine", "OutOfMemory", "Spent"]


class Busy(Exception):
    """The queue is full."""


class OutOfMemory(Exception):
    """The memory is full."""


class Engine:
    """A server's inside. `clock` gives monotonic seconds; all calls come from one event loop."""

    def __init__(self, shape: Shape, clock: Callable[[], float] = time.monotonic) -> None:
        self.shape = shape
        self.running: list[Call] = []  # in order of start
        self.waiting: deque[Call] = deque()
        self.calls: deque[Call] = deque(maxlen=REMEMBERED)
        self._clock = clock
        self._epoch = time.time() - clock()
        self._numbers = itertools.count(1)
        self._step: batch.Step | None = None
        self._beat_at = -math.inf
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ready_at = 0.0
        self._load()
        self._quota = Quota(shape, clock())
        self.record = Record(self._epoch + clock())

    @property
    def in_flight(self) -> int:
        """Calls that are open, those waiting for a slot included."""
        return len(self.running) + len(self.waiting)

    @property
    def memory_used(self) -> int:
        """Tokens of KV cache held by running calls."""
        return sum(call.cached if self.shape.batching else call.tokens_reserved for call in self.running)

    @property
    def loading(self) -> bool:
        """Whether it has no model to answer with yet. Ollama never says so: there the call waits."""
        return self.shape.flavour != "ollama" and self._clock() < self._ready_at

    @property
    def now(self) -> float:
        """The time of the record, in seconds since the epoch."""
        return self._epoch + self._clock()

    def become(self, shape: Shape, *, reload: bool) -> None:
        """Take another shape. Calls that run keep their slots; `reload` starts loading and quotas anew.

        It may come from another thread: the calls are then looked at in their own.
        """
        self._in_loop(lambda: self._become(shape, reload=reload))

    def forget(self) -> None:
        """Begin the record anew, with the calls that are open. It may come from another thread too."""
        self._in_loop(self._forget)

    def _forget(self) -> None:
        self.advance()
        self.calls = deque((call for call in self.calls if call.ended is None), maxlen=REMEMBERED)
        self.record = Record(self.now, self.in_flight, len(self.running))

    def arrive(self, model: str, tokens_in: int, max_tokens: int, user: str = "") -> Call:
        """Record a new call; it has no place yet."""
        number = next(self._numbers)
        call = Call(f"chatcmpl-{number}", model, user, tokens_in, max_tokens, self.now)
        self.calls.append(call)
        return call

    def line_up(self, call: Call) -> None:
        """Give it a slot or a place in the queue.

        Raises Busy, OutOfMemory or Spent when it gets neither; `leave` must be called in every case.
        """
        now = self.advance()
        self._check(call, now)
        if self._ready_at == math.inf:  # Ollama loads at the first call
            self._ready_at = now + self.shape.loading_seconds
        self.waiting.append(call)
        self._admit(now)
        self._level(now)
        self._settle(self.advance())

    async def enter(self, call: Call) -> None:
        """Line up and wait for the turn. Raises as `line_up` does; cancelling gives the place up by `leave`."""
        self._loop = asyncio.get_running_loop()
        self.line_up(call)
        await call.turn.wait()
        if call.started is None:
            raise OutOfMemory

    def expect(self, call: Call, goal: int, *, last: bool) -> None:
        """It may make tokens up to `goal` now, and is done with them if that is the `last` goal."""
        now = self.advance()
        if not call.goal and call.started is not None and not self.shape.batching:
            pace.expected(call, now)
        call.goal, call.last = goal, last
        if call.started is None or call.ended is not None:
            return
        if call.complete and (call.tokens_out or call.missing <= 1):
            self._end(call, "done", now)  # it had made them all already
        self._settle(self.advance())

    async def made(self, call: Call, seen: int) -> int:
        """Wait until it has more than `seen` tokens, or all of them; how many it has."""
        while call.tokens_out <= seen and call.ended is None:
            call.news.clear()
            await call.news.wait()
        call.told = call.tokens_out
        return call.tokens_out

    def leave(self, call: Call, state: str, kind: str = "") -> None:
        """The call is over: done, refused (what `kind`), failed or gone. Frees what it held, at once."""
        if call.ended is None:
            now = self.advance()
        if call.ended is None:
            self._end(call, state, now, kind)
            self._settle(now)

    def advance(self) -> float:
        """Do what was to be done until now; the time by its own clock."""
        now = self._clock()
        if self.shape.batching:
            self._compute(now)
        else:
            self._admit(now)
            self._flow(now)
        return now

    def _become(self, shape: Shape, *, reload: bool) -> None:
        now = self.advance()
        before, self.shape = self.shape, shape
        if reload:
            self._load()
        if reload or _quotas(before) != _quotas(shape):
            self._quota = Quota(shape, now)
        for call in self.running:
            pace.changed(shape, call, now)
            if not before.batching:
                call.cached = call.reached = call.read + max(0, call.tokens_out - 1)
        if not shape.batching:
            self._step = None
        self._admit(now)
        self._settle(now)

    def _load(self) -> None:
        self._ready_at = self._clock() + self.shape.loading_seconds
        if self.shape.flavour == "ollama" and self.shape.loading_seconds and not self.waiting:
            self._ready_at = math.inf

    # Getting in.

    def _check(self, call: Call, now: float) -> None:
        """Raise what keeps it from lining up."""
        shape = self.shape
        free = not self.waiting and len(self.running) < shape.slots and now >= self._ready_at
        # A batching engine takes calls in between two steps, so those that will find a slot wait for a moment.
        spare = max(0, shape.slots - len(self.running)) if shape.batching else int(free)
        if shape.queue is not None and len(self.waiting) >= shape.queue + spare:
            raise {"busy": Busy, "out_of_memory": OutOfMemory}.get(shape.when_full, _Crowded)
        if self._never_fits(call) or (free and not self._fits(call) and shape.memory_full == "out_of_memory"):
            raise OutOfMemory
        self._quota.take(call.tokens_in, call.max_tokens, now)

    def _admit(self, now: float) -> None:
        """Give free slots to those who wait; a batching engine does so between two steps."""
        if self.shape.batching:
            if self._step is None:
                self._plan(now)
            return
        while self.waiting and len(self.running) < self.shape.slots and now >= self._ready_at:
            call = self.waiting[0]
            if self._fits(call):
                self._start(self.waiting.popleft(), now)
            elif self.shape.memory_full == "wait" and not self._never_fits(call):
                return
            else:
                self.waiting.popleft().turn.set()  # without a slot it wakes up to find the memory full
                self._level(now)

    def _start(self, call: Call, now: float) -> None:
        self.running.append(call)
        call.state = "running" if call.tokens_out else "prefill"
        if call.started is None:
            call.started = self._epoch + now
            self.record.start(call.user)
        pace.start(self.shape, call, now)
        call.turn.set()
        self._level(now)

    def _fits(self, call: Call) -> bool:
        limit = self.shape.memory_tokens
        return limit is None or self.memory_used + call.tokens_reserved <= limit

    def _never_fits(self, call: Call) -> bool:
        # With preemption the context, which is checked before, is what bounds a call.
        limit = self.shape.memory_tokens
        return limit is not None and not self.shape.batching and call.tokens_reserved > limit

    # Making tokens.

    def _flow(self, now: float) -> None:
        for call in list(self.running):
            if now < call.ready_at or call.ended is not None:
                continue
            self._read(call, call.tokens_in - call.read)
            self._make(call, pace.due(self.shape, call, now) - call.tokens_out, now)

    def _compute(self, now: float) -> None:
        if self._step is None:
            self._plan(now)
        while self._step is not None and self._step.ends <= now:
            step, self._step = self._step, None
            for call, tokens in step.work.items():
                if call.ended is None:
                    self._computed(call, tokens, step.ends)
            self._plan(step.ends)

    def _computed(self, call: Call, tokens: int, at: float) -> None:
        self.record.recomputed += max(0, min(call.cached + tokens, call.reached) - call.cached)
        call.cached += tokens
        call.reached = max(call.reached, call.cached)
        self._read(call, min(call.cached, call.tokens_in) - call.read)
        whole = not call.missing and call.tokens_out < call.goal
        if whole or (call.complete and call.missing <= 1):
            self._make(call, int(whole), at)

    def _plan(self, at: float) -> None:
        step = batch.plan(self.shape, self.running, self.waiting, admit=at >= self._ready_at)
        for call in step.preempted:
            self.running.remove(call)
            self.waiting.appendleft(call)
            call.state, call.cached = "waiting", 0
            call.preempted += 1
            self.record.preemptions += 1
            self._level(at)
        for call in step.admitted:
            self.waiting.remove(call)
            self._start(call, at)
        if step.work:
            step.ends = at + step.seconds(self.shape)
            self._step = step

    def _read(self, call: Call, tokens: int) -> None:
        if tokens > 0:
            call.read += tokens
            self.record.read(call.user, tokens)

    def _make(self, call: Call, tokens: int, at: float) -> None:
        if tokens > 0:
            call.tokens_out += tokens
            call.state = "running"
            self.record.wrote(call.user, tokens)
            if call.first is None:
                call.first = self._epoch + at
        if call.complete:
            self._end(call, "done", at)

    # Getting out.

    def _end(self, call: Call, state: str, at: float, kind: str = "") -> None:
        if call in self.running:
            self.running.remove(call)
        elif call in self.waiting:
            self.waiting.remove(call)
        call.state, call.ended, call.cached = state, self._epoch + at, 0
        call.news.set()
        self.record.ended[state] += 1
        self.record.served += state == "done"
        if state == "refused":
            self.record.refusals[kind] += 1
        self._level(at)
        if not self.shape.batching:
            self._admit(at)

    def _level(self, at: float) -> None:
        self.record.level(self._epoch + at, self.in_flight, len(self.running))

    # The timer, and the thread it lives in.

    def _in_loop(self, act: Callable[[], None]) -> None:
        if self._loop is None or self._loop.is_closed() or self._loop is _this_loop():
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    def _settle(self, now: float) -> None:
        """Tell the streams what is new, and set the timer for the next look."""
        beat = now >= self._beat_at
        for call in self.running:
            if call.tokens_out > call.told and (beat or not call.told):
                call.news.set()
        if beat:
            self._beat_at = now + self.shape.stream_seconds
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._next_at(now)
        if at < math.inf and (loop := _this_loop()) is not None:
            self._timer = loop.call_later(max(0.0, at - now), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._settle(self.advance())

    def _next_at(self, now: float) -> float:
        """When something is to be seen: a token at the next beat, or a call's end before it."""
        at = self._ready_at if self.waiting and now < self._ready_at else math.inf
        if not self.shape.batching:
            return min([at, *(pace.next_at(self.shape, call, self._beat_at) for call in self.running)])
        if self._step is None:
            return at
        left = min((call.goal - call.tokens_out for call in self.running if call.last), default=1)
        ends = self._step.ends + max(0, left - 1) * self._step.seconds(self.shape)
        return min(at, max(self._step.ends, min(self._beat_at, ends)))


class _Crowded(Spent):
    """A hosted API allows one customer so many calls at once."""

    def __init__(self) -> None:
        super().__init__("concurrent", 0, 0, 1, 1.0)


def _quotas(shape: Shape) -> tuple[object, ...]:
    return shape.requests_per_minute, shape.tokens_per_minute, shape.burst_seconds


def _this_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
