"""The way in for everything that Slack's servers answer: reads the request, meets the faults, writes the answer.

Plain ASGI rather than a framework's request and response, because benchmarks send hundreds of calls a second
through here, and because a cut connection needs the transport itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playground.slack.stand_in import dump

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from playground.slack.faults import Fault
    from playground.slack.stand_in import Slack

JSON_TYPE = "application/json; charset=utf-8"


class TooLarge(Exception):
    """A request body beyond what its door takes."""


@dataclass
class Reply:
    """An HTTP answer."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)


async def read(receive: Receive, most: int) -> bytes:
    """The whole body, or TooLarge."""
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise TooLarge
        chunks.append(chunk)
        if not message.get("more_body"):
            break
    return b"".join(chunks)


async def send_reply(send: Send, reply: Reply) -> None:
    """Write an answer."""
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.encode(), value.encode("latin-1", "replace")) for name, value in reply.headers.items()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def through(
    slack: Slack,
    ends: tuple[Scope, Receive, Send],
    name: str,
    args: dict[str, Any],
    work: Callable[[], tuple[Reply, dict[str, Any]]],
) -> None:
    """Do `work` and answer, unless a fault was ordered for this call; write the ledger either way."""
    _, receive, send = ends
    fault = slack.faults.for_call(name, str(args.get("channel") or args.get("channel_id") or ""))
    if fault is None:
        reply, answer = work()
        slack.record(name, args, reply.status, answer, None)
        await send_reply(send, reply)
        return
    seconds = fault.seconds if fault.seconds is not None else slack.config.hang_seconds
    refusal = _refusal(fault)
    if refusal is not None:
        slack.record(name, args, refusal[0].status, refusal[1], fault.kind)
        await send_reply(send, refusal[0])
        return
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds if fault.seconds is not None else 2.0)
    before = fault.kind.endswith("before")
    if before:
        slack.record(name, args, 0, {"ok": False, "error": None}, fault.kind)
    else:
        reply, answer = work()
        slack.record(name, args, reply.status, answer, fault.kind)
        if fault.kind == "slow":
            await send_reply(send, reply)
            return
    if fault.kind.startswith("time_out"):
        await _hang(receive, seconds)
    await cut(receive, send)


def _refusal(fault: Fault) -> tuple[Reply, dict[str, Any]] | None:
    if fault.kind == "rate_limited":
        answer = {"ok": False, "error": "ratelimited"}
        return Reply(dump(answer), 429, headers={"retry-after": str(fault.retry_after)}), answer
    if fault.kind == "error":
        answer = {"ok": False, "error": fault.error}
        return Reply(dump(answer)), answer
    if fault.kind == "server_error":
        return Reply(b"Internal Server Error", 500, "text/html"), {"ok": False, "error": None}
    if fault.kind == "unavailable":
        return Reply(b"Service Unavailable", 503, "text/html"), {"ok": False, "error": None}
    return None


async def _hang(receive: Receive, seconds: float) -> None:
    """Say nothing until the time is over or the caller has gone."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def cut(receive: Receive, send: Send) -> None:
    """Close the connection without an answer.

    ASGI has no word for this. Uvicorn's `receive` belongs to the object that holds the transport; with a server
    that hides it, the answer breaks off after its headers instead.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        return
    transport.abort()
    # The server learns of the closed connection in the next round of the loop, and then expects no answer.
    while (await receive())["type"] != "http.disconnect":
        pass
