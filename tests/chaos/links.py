"""TCP links between the parts, which can be cut, held, slowed and half closed.

A held link keeps bytes back, and not the end of a connection: what a network that swallows even that means for the
limit stands in docs/reliability.md.
"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests import services

Address = tuple[str, int]
SLOW_SECONDS = 0.3


@dataclass(eq=False)
class Link:
    """One listening port; connections to it go on to the first of `to` that takes them, beginning with each in turn."""

    name: str
    port: int
    to: Sequence[Address]
    ends: set["End"] = field(default_factory=set)
    held: bool = False
    refusing: bool = False
    delay: float = 0.0
    turn: int = 0


class End(asyncio.Protocol):
    """One end of a connection; what it hears, its peer says."""

    def __init__(self, link: Link, *, is_client: bool, peer: "End | None" = None) -> None:
        self.link, self.is_client, self.peer = link, is_client, peer
        self.transport: asyncio.Transport | None = None
        # Half closed: to say more would be an error of ours, and end both sides.
        self.has_said_all = False
        # Heard before there was a peer to say it; and to be said when the link is held no more.
        self._early: list[bytes] = []
        self._kept: list[bytes] = []
        self._last_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.link.ends.add(self)
        if self.is_client:
            if self.link.refusing:
                transport.abort()
                return
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop, link = asyncio.get_running_loop(), self.link
        link.turn += 1
        for number in range(len(link.to)):
            host, port = link.to[(link.turn + number) % len(link.to)]
            try:
                _, self.peer = await loop.create_connection(
                    lambda: End(link, is_client=False, peer=self), host, port
                )
            except OSError:
                continue
            early, self._early = self._early, []
            for data in early:
                self.peer.say(data)
            if self.transport is None or self.transport.is_closing():
                self.peer.end()
            return
        self.end()

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.say(data)
        else:
            self._early.append(data)

    def say(self, data: bytes) -> None:
        """Send, now, later, or when the link is held no more; always in order."""
        if self.link.held:
            self._kept.append(data)
            return
        loop = asyncio.get_running_loop()
        at = max(self._last_at, loop.time() + self.link.delay)
        if at <= loop.time():
            self._write(data)
        else:
            self._last_at = at
            loop.call_at(at, self._write, data)

    def say_kept(self) -> None:
        """Send what was kept back."""
        kept, self._kept = self._kept, []
        for data in kept:
            self.say(data)

    def _write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing() and not self.has_said_all:
            self.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.link.ends.discard(self)
        if self.peer is not None:
            self.peer.end()

    def end(self) -> None:
        """Close, after what was written."""
        if self.transport is not None:
            self.transport.close()


class Network:
    """All links, served by a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)
        self._servers: list[asyncio.Server] = []
        self.links: dict[str, Link] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        async def close() -> None:
            for server in self._servers:
                server.close()
            for link in self.links.values():
                _cut(link)
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def add(self, name: str, *to: Address) -> Link:
        """A new link to one of some addresses."""
        for more_tries in (2, 1, 0):
            link = Link(name, services.free_port(), to)
            try:
                asyncio.run_coroutine_threadsafe(self._serve(link), self._loop).result(10)
            except OSError:
                # Somebody had the port before us, though it was free: seen once, and not found out who.
                if not more_tries:
                    raise
            else:
                break
        self.links[name] = link
        return link

    async def _serve(self, link: Link) -> None:
        server = await self._loop.create_server(lambda: End(link, is_client=True), "127.0.0.1", link.port)
        self._servers.append(server)

    def fault(self, name: str, how: str) -> None:
        """Let a link misbehave: `cut` and `half_close` are over at once, `hold`, `slow` and `refuse` until `heal`."""
        self._loop.call_soon_threadsafe(_FAULTS[how], self.links[name])

    def heal(self, name: str) -> None:
        """All is well with a link again; what was held goes on."""
        self._loop.call_soon_threadsafe(_heal, self.links[name])


def _cut(link: Link) -> None:
    for end in tuple(link.ends):
        if end.transport is not None:
            end.transport.abort()


def _half_close(link: Link) -> None:
    for end in tuple(link.ends):
        if end.is_client and end.transport is not None and end.transport.can_write_eof():
            end.has_said_all = True
            end.transport.write_eof()


def _hold(link: Link) -> None:
    link.held = True


def _slow(link: Link) -> None:
    link.delay = SLOW_SECONDS


def _refuse(link: Link) -> None:
    link.refusing = True
    _cut(link)


def _heal(link: Link) -> None:
    link.held, link.refusing, link.delay = False, False, 0.0
    for end in tuple(link.ends):
        end.say_kept()


_FAULTS = {"cut": _cut, "half_close": _half_close, "hold": _hold, "slow": _slow, "refuse": _refuse}
