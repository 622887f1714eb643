"""`POST /v1/chat/completions`: one call, from its arrival to its last byte or to the client's leaving."""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from playground.model import answers, refusals, request, stream, tokens
from playground.model.engine import Busy, Call, Engine, OutOfMemory, Spent
from playground.model.faults import Fault, Faults
from playground.model.request import Asked, Refused

_NEVER = 10**6  # seconds; the client leaves before that
_SLOW_PIECE = 8  # tokens between two pauses of a slow stream
_PACKET = 16 * 1024  # bytes gathered before a send when the answer comes at once


class Chat:
    """An ASGI endpoint, and not a function on a Request, because it must see the client leave at any moment."""

    def __init__(self, engine: Engine, faults: Faults) -> None:
        self._engine, self._faults = engine, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a client that leaves frees its slot at once, as in vLLM and llama.cpp."""
        line = Line(receive, send)
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        call: Call | None = None
        state, kind = "failed", ""
        try:
            asked, fault = self._accept(scope, body)
            call = self._engine.arrive(asked.model, asked.tokens_in, asked.max_tokens, asked.user)
            self._engine.record.pictures.extend(asked.pictures)
            turn = Turn(self._engine, line, call, asked, fault)
            state = await _unless_gone(turn, receive)
        except Refused as refused:
            state, kind = "refused", refused.kind
            await line.refuse(refused.refusal)
        except HungUp:
            await line.hang_up()
        finally:
            if call is None and state != "gone":
                call = self._engine.arrive("", 0, 0)
            if call is not None and call.ended is None:
                self._engine.leave(call, state, kind)

    def _accept(self, scope: Scope, body: bytes) -> tuple[Asked, Fault | None]:
        """The request and the fault it meets; raises what must be answered before it gets in line."""
        shape = self._engine.shape
        fault = self._faults.take()
        if fault is not None and fault.kind == "down":
            raise HungUp
        if shape.api_key and Request(scope).headers.get("authorization") != f"Bearer {shape.api_key}":
            raise Refused("wrong_key", refusals.wrong_key(shape.flavour))
        if self._engine.loading:
            raise Refused("loading", refusals.loading(shape.flavour))
        asked = request.read(body, shape)
        if fault is not None:
            _refuse(fault, fault.flavour or shape.flavour, asked, shape.context)
        return asked, fault


class HungUp(Exception):
    """The connection is to be cut."""


def _refuse(fault: Fault, flavour: str, asked: Asked, context: int) -> None:
    """Raise the refusal that a fault stands for; faults of the stream come later."""
    made = {
        "busy": lambda: refusals.busy(flavour),
        "rate_limited": lambda: refusals.rate_limited(flavour, fault.retry_after),
        "out_of_memory": lambda: refusals.out_of_memory(flavour),
        "loading": lambda: refusals.loading(flavour),
        "refuse_context": lambda: refusals.too_long(
            flavour, max(asked.tokens_in, context + 1), context, asked.max_tokens
        ),
    }.get(fault.kind)
    if made is not None:
        kind = "too_long" if fault.kind == "refuse_context" else fault.kind
        raise Refused(kind, refusals.with_retry_after(made(), fault.retry_after))


class Turn:
    """The work on one call: wait for the turn, and send what the engine makes."""

    def __init__(self, engine: Engine, line: "Line", call: Call, asked: Asked, fault: Fault | None) -> None:
        self._engine, self._line, self._call, self._asked, self._fault = engine, line, call, asked, fault
        self._flavour = (fault.flavour if fault else None) or engine.shape.flavour
        self._wire = stream.Wire(call, self._flavour)

    async def run(self) -> str:
        """Serve the call and return its last state; raises Refused or HungUp."""
        # The summary is work of its own, so it is written only when its turn has come.
        early = self._engine.shape.answer != "summary"
        whole, finish = self._cut(self._text()) if early else ([], "")
        if early and self._fault is None:
            self._engine.expect(self._call, len(whole), last=True)
        await self._enter()
        if not early:
            whole, finish = self._cut(await asyncio.to_thread(self._text))
        if self._asked.stream:
            return await self._stream(whole, finish)
        return await self._at_once(whole, finish)

    async def _enter(self) -> None:
        flavour = self._flavour
        try:
            await self._engine.enter(self._call)
        except Busy:
            raise Refused("busy", refusals.busy(flavour)) from None
        except OutOfMemory:
            raise Refused("out_of_memory", refusals.out_of_memory(flavour)) from None
        except Spent as spent:
            raise Refused("rate_limited", refusals.spent(spent, self._call.model)) from None

    def _text(self) -> str:
        asked = self._asked
        text = answers.write(self._engine.shape, asked.messages, asked.max_tokens, asked.response_format)
        # A model that is not held to a schema: words around it, and its end forgotten.
        return f"Here is what I found:\n{text[: len(text) // 2]}" if self._is("bad_schema") else text

    def _cut(self, text: str) -> tuple[list[str], str]:
        """The tokens of the answer that fit, and why it ends."""
        whole = tokens.pieces(text)
        room = min(self._asked.max_tokens, self._engine.shape.context - self._asked.tokens_in)
        return whole[:room], "length" if len(whole) > room else "stop"

    async def _stream(self, whole: list[str], finish: str) -> str:
        await self._line.open(200, "text/event-stream; charset=utf-8")
        await self._line.write(self._wire.opening(), now=self._call.ended is None)
        sent = 0
        for stop in self._stops(len(whole)):
            if self._is("slow"):
                await self._line.flush()
                await _pause(_seconds(self._fault, 0.2))
            self._engine.expect(self._call, stop.goal, last=stop.last)
            while sent < stop.goal:
                made = await self._engine.made(self._call, sent)
                for piece in stream.pieces(whole[sent:made]):
                    await self._line.write(self._wire.piece(piece), now=self._call.ended is None)
                sent = made
            if not stop.last and await self._break():
                return "failed"
        await self._engine.made(self._call, sent)
        await self._line.write(self._wire.closing(finish))
        if self._asked.include_usage:
            await self._line.write(self._wire.usage())
        await self._line.close(stream.DONE)
        return "done"

    def _stops(self, total: int) -> list["Stop"]:
        """How far the engine may go before the fault, if there is one, shows itself again."""
        stops = []
        if self._is("slow"):
            stops = [Stop(goal, last=False) for goal in range(_SLOW_PIECE, total, _SLOW_PIECE)]
        elif self._fault is not None:
            stops = [Stop(min(total, max(1, total // 2)), last=False)]
        return [*stops, Stop(total, last=True)]

    async def _break(self) -> bool:
        """At a stop: do what the fault says, and tell whether the answer ends here."""
        await self._line.flush()
        if self._is("stall"):
            await _pause(_seconds(self._fault, _NEVER))
        elif self._is("cut_stream"):
            await self._line.hang_up()
            return True
        elif self._is("no_done"):
            await self._line.close(b"")
            return True
        elif self._is("error_in_stream"):
            await self._line.close(refusals.in_stream(self._flavour))
            return True
        elif self._is("bad_json"):
            await self._line.close(stream.BROKEN_JSON)
            return True
        return False

    async def _at_once(self, whole: list[str], finish: str) -> str:
        if self._is("cut_stream") or self._is("no_done"):
            raise HungUp
        if self._is("error_in_stream"):
            raise Refused("out_of_memory", refusals.out_of_memory(self._flavour))
        if self._is("stall") or self._is("slow"):
            await _pause(_seconds(self._fault, _NEVER if self._is("stall") else 0.2 * len(whole)))
        self._engine.expect(self._call, len(whole), last=True)
        # The slot is free when the last token is made, before the client has read it.
        while self._call.ended is None:
            await self._engine.made(self._call, len(whole))
        body = json.dumps(self._wire.whole("".join(whole), finish), ensure_ascii=False)
        await self._line.open(200, "application/json")
        await self._line.close(body.encode("utf-8", "replace")[: 60 if self._is("bad_json") else None])
        return "done"

    def _is(self, kind: str) -> bool:
        return self._fault is not None and self._fault.kind == kind


@dataclass(frozen=True)
class Stop:
    """A number of tokens, and whether the answer ends there."""

    goal: int
    last: bool


class Line:
    """The connection: gathers small writes, and can be cut."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._held: list[bytes] = []
        self._size = 0

    async def open(self, status: int, kind: str, headers: dict[str, str] | None = None) -> None:
        """Send the status and the headers."""
        head = {"content-type": kind, "cache-control": "no-cache"} | (headers or {})
        pairs = [(name.encode(), value.encode()) for name, value in head.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def write(self, data: bytes, *, now: bool = False) -> None:
        """Send, at once or when enough has gathered."""
        self._held.append(data)
        self._size += len(data)
        if now or self._size >= _PACKET:
            await self.flush()

    async def flush(self) -> None:
        """Send what has gathered."""
        if self._held:
            data, self._held, self._size = b"".join(self._held), [], 0
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def close(self, data: bytes) -> None:
        """Send the last bytes."""
        data, self._held = b"".join([*self._held, data]), []
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def refuse(self, refusal: refusals.Refusal) -> None:
        """Send a refusal."""
        await self.open(refusal.status, "application/json", refusal.headers)
        await self.close(json.dumps(refusal.body).encode())

    async def hang_up(self) -> None:
        """Cut the connection after what was sent."""
        await self.flush()
        await cut(self._receive)


async def cut(receive: Receive) -> None:
    """Close the connection under a request. ASGI has no word for that, so it asks uvicorn's transport."""
    transport: Any = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("the connection can be cut under uvicorn only")
    transport.close()
    await _gone(receive)


async def _unless_gone(turn: Turn, receive: Receive) -> str:
    """Run the turn until it ends or the client leaves."""
    work, gone = asyncio.create_task(turn.run()), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else "gone"
    finally:
        for task in (work, gone):
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


def _seconds(fault: Fault | None, otherwise: float) -> float:
    return otherwise if fault is None or fault.seconds is None else fault.seconds
