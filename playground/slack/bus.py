"""Tells everyone who watches (`GET /control/stream`) what changed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

Change = tuple[str, dict[str, Any]]

# A page that stops reading is cut off rather than remembered for ever.
BACKLOG = 10_000


class Bus:
    """One queue for each watcher; publishing never waits."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Queue[Change | None]] = set()

    def publish(self, kind: str, change: dict[str, Any]) -> None:
        """Hand a change to every watcher."""
        for queue in tuple(self._watchers):
            try:
                queue.put_nowait((kind, change))
            except asyncio.QueueFull:
                self._cut(queue)

    async def watch(self, idle_seconds: float) -> AsyncIterator[Change | None]:
        """Yield changes as they come, and None whenever nothing came for `idle_seconds`."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue(BACKLOG)
        self._watchers.add(queue)
        try:
            while True:
                try:
                    change = await asyncio.wait_for(queue.get(), idle_seconds)
                except TimeoutError:
                    yield None
                    continue
                if change is None:
                    return
                yield change
        finally:
            self._watchers.discard(queue)

    def close(self) -> None:
        """End every watcher's stream, so that a server can stop without waiting for its pages."""
        for queue in tuple(self._watchers):
            self._cut(queue)

    def _cut(self, queue: asyncio.Queue[Change | None]) -> None:
        self._watchers.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
