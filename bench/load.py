"""A load generator: HTTP/1.1 over kept connections, by a fixed schedule or as fast as possible.

By schedule the clock of a request starts when it was due, not when it could be sent: a server that stalls
makes the requests behind it late, and their wait counts (Tene's "coordinated omission").
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

# Far above any answer worth counting.
GIVE_UP_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """One request's fate. `seconds` is from its due time; `late` is what the generator itself added."""

    status: int
    seconds: float
    late: float
    # When the answer was read, by the wall clock.
    at: float
    content: bytes


def request(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of a POST."""
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """Keeps idle connections to one server, and opens another when none is idle."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, content: bytes) -> int:
        """Send a request's bytes; the status of its answer, 0 when there was none."""
        try:
            if self._idle:
                reader, writer = self._idle.pop()
            else:
                reader, writer = await asyncio.open_connection(*self._address)
            writer.write(content)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            return 0
        if b"connection: close" in lines:
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(lines[0].split()[1])

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


def steady(url: str, requests: Sequence[bytes], rate: float) -> list[Answer]:
    """Send `requests` at `rate` a second, whatever the answers do."""

    async def run() -> list[Answer]:
        client = Client(url)
        begun = time.perf_counter() + 0.05
        tasks = []
        for number, content in enumerate(requests):
            due = begun + number / rate
            pause = due - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            tasks.append(asyncio.create_task(_timed(client, content, due)))
        answers = await asyncio.gather(*tasks)
        client.close()
        return answers

    return asyncio.run(run())


def rush(url: str, requests: Iterable[bytes], connections: int = 16) -> list[Answer]:
    """Send `requests` as fast as `connections` get their answers."""

    async def run() -> list[Answer]:
        client, answers, left = Client(url), [], iter(requests)

        async def work() -> None:
            for content in left:
                answers.append(await _timed(client, content, time.perf_counter()))  # noqa: PERF401 - shared by all

        await asyncio.gather(*(work() for _ in range(connections)))
        client.close()
        return answers

    return asyncio.run(run())


async def _timed(client: Client, content: bytes, due: float) -> Answer:
    late = time.perf_counter() - due
    try:
        status = await asyncio.wait_for(client.post(content), GIVE_UP_SECONDS)
    except TimeoutError:
        status = 0
    return Answer(status, time.perf_counter() - due, late, time.time(), content)
