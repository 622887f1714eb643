"""Plays a trace: every ask at its moment, whatever the answers do."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.line.model import Model
from bench.line.trace import Ask

# The moment (by the wall clock) when an ask was answered; None: it never was.
Answer = Callable[[Ask], Awaitable[float | None]]
Open = Callable[[], contextlib.AbstractAsyncContextManager[Answer]]


@dataclass(frozen=True)
class Contender:
    """Something that answers, and the model server that it asks."""

    name: str
    model: Model
    open: Open


@dataclass(frozen=True)
class Outcome:
    """One ask's fate. Times are seconds since the epoch."""

    ask: Ask
    asked: float
    answered: float | None

    @property
    def wait(self) -> float | None:
        """Seconds until the answer."""
        return None if self.answered is None else self.answered - self.asked


@dataclass(frozen=True)
class Played:
    """What came of a trace that began at `begun`."""

    begun: float
    outcomes: list[Outcome]

    @property
    def ended(self) -> float:
        """When the last answer came."""
        return max((one.answered for one in self.outcomes if one.answered), default=self.begun)


def play(contender: Contender, asks: Sequence[Ask], limit: float) -> Played:
    """All asks of a trace; what is not answered `limit` seconds after its start never will be."""

    async def run() -> Played:
        async with contender.open() as answer:
            begun = time.time() + 0.2
            tasks = [asyncio.create_task(_one(answer, ask, begun)) for ask in asks]
            _, late = await asyncio.wait(tasks, timeout=limit)
            for task in late:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        outcomes = [
            Outcome(ask, begun + ask.at, one if isinstance(one, float) else None)
            for ask, one in zip(asks, ended, strict=True)
        ]
        _complain([one for one in ended if isinstance(one, Exception)])
        return Played(begun, outcomes)

    return asyncio.run(run())


async def _one(answer: Answer, ask: Ask, begun: float) -> float | None:
    await asyncio.sleep(max(0.0, begun + ask.at - time.time()))
    return await answer(ask)


def _complain(errors: Sequence[Exception]) -> None:
    # A contender that fails gives None; an exception is a mistake of the bench.
    if errors:
        raise RuntimeError(f"{len(errors)} asks broke the bench") from errors[0]


@contextlib.asynccontextmanager
async def at_once(answer: Answer) -> AsyncIterator[Answer]:
    """For contenders that need nothing opened."""
    yield answer
