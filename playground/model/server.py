"""The model server put together: the HTTP routes of a real one, and the control calls of the playground."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from playground.model import embeddings, gauges, prompt, refusals, tokens
from playground.model.chat import Chat, cut
from playground.model.engine import Engine
from playground.model.faults import BadFault, Faults
from playground.model.record import newest
from playground.model.shape import BadShape, Shape

MODEL = "built-in"  # the name it gives its model when the shape lists none
_CALLS = 1000  # shown when nobody says how many
_FEW = 100  # shown after a change, which is asked for to change and not to read


class ModelServer:
    """One stand-in server. `config` is its first shape, which `reset()` brings back; raises BadShape."""

    def __init__(self, config: Shape | Mapping[str, Any] | None = None) -> None:
        self._first = config if isinstance(config, Shape) else Shape().changed(config or {})
        self.engine = Engine(self._first)
        self.faults = Faults()

    def reset(self) -> None:
        """Back to the first shape, with no faults, no counts and no remembered calls. Open calls run on."""
        self.faults.clear()
        self.engine.become(self._first, reload=True)
        self.engine.forget()

    def clear_faults(self) -> None:
        """End all faults (`DELETE /control/faults`)."""
        self.faults.clear()

    def routes(self) -> list[BaseRoute]:
        """Its addresses."""
        return [
            # A class, so that the endpoint is the ASGI application itself.
            Route("/v1/chat/completions", Chat(self.engine, self.faults), methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            Route("/tokenize", self._tokenize, methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/slots", self._slots, methods=["GET"]),
            Route("/control/model", self._show, methods=["GET"]),
            Route("/control/model", self._change, methods=["POST"]),
            Route("/control/faults/model", self._misbehave, methods=["POST"]),
        ]

    async def _models(self, request: Request) -> Response:
        unable = await self._unable(request)
        if unable is not None:
            return unable
        shape = self.engine.shape
        names = shape.models or (MODEL,)
        models = [
            {"id": name, "object": "model", "owned_by": shape.flavour, "max_model_len": shape.context}
            for name in names
        ]
        return JSONResponse({"object": "list", "data": models})

    async def _tokenize(self, request: Request) -> Response:
        """vLLM: `prompt` or `messages` in, a count out; llama.cpp: `content` in, a list out."""
        unable = await self._unable(request)
        if unable is not None:
            return unable
        asked = await _json(request)
        if "content" in asked:
            return JSONResponse({"tokens": list(range(tokens.count(str(asked["content"]))))})
        messages = asked.get("messages")
        if isinstance(messages, list):
            count = tokens.count_messages([prompt.content_text(m) for m in messages if isinstance(m, dict)])
        else:
            count = tokens.count(str(asked.get("prompt", "")))
        length = self.engine.shape.context
        return JSONResponse({"count": count, "max_model_len": length, "tokens": list(range(count))})

    async def _embeddings(self, request: Request) -> Response:
        """Vectors of which words a text has: near are those that share them. Models of meaning do better."""
        unable = await self._unable(request)
        if unable is not None:
            return unable
        asked = await _json(request)
        texts = asked.get("input")
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return _refusal(refusals.bad_request(self.engine.shape.flavour, "'input' is required"))
        vectors = await asyncio.to_thread(lambda: [embeddings.vector(text) for text in texts])
        data = [{"object": "embedding", "index": at, "embedding": each} for at, each in enumerate(vectors)]
        return JSONResponse({"object": "list", "model": str(asked.get("model", "default")), "data": data})

    async def _health(self, request: Request) -> Response:
        return await self._unable(request) or JSONResponse({"status": "ok"})

    async def _metrics(self, request: Request) -> Response:
        unable = await self._unable(request)
        if unable is not None:
            return unable
        text = gauges.metrics(self.engine, (self.engine.shape.models or (MODEL,))[0])
        return Response(status_code=404) if text is None else PlainTextResponse(text)

    async def _slots(self, request: Request) -> Response:
        unable = await self._unable(request)
        if unable is not None:
            return unable
        if self.engine.shape.flavour != "llamacpp":
            return Response(status_code=404)
        self.engine.advance()
        full = len(self.engine.running) >= self.engine.shape.slots
        if full and request.query_params.get("fail_on_no_slot"):
            return _refusal(refusals.busy("llamacpp"))
        return JSONResponse(gauges.slots(self.engine))

    async def _unable(self, request: Request) -> Response | None:
        """What every address answers while the server is down or loading; None when it can."""
        if self.faults.peek("down") is not None:
            await cut(request.receive)
            return Response(status_code=503)  # to nobody: the connection is closed
        if self.faults.peek("loading") is not None or self.engine.loading:
            return _refusal(refusals.loading("llamacpp"))
        return None

    async def _show(self, request: Request) -> Response:
        latest = request.query_params.get("latest", "")
        return JSONResponse(self.state(int(latest) if latest.isdecimal() else None))

    async def _change(self, request: Request) -> Response:
        settings = await _json(request)
        forget = settings.pop("forget", False)
        if not isinstance(forget, bool):
            return _wrong("bad_shape", "forget must be true or false")
        try:
            shape = self.engine.shape.changed(settings)
        except BadShape as error:
            return _wrong("bad_shape", error)
        self.engine.become(shape, reload="loading_seconds" in settings or "profile" in settings)
        if forget:
            self.engine.forget()
        return JSONResponse(self.state(_FEW))

    async def _misbehave(self, request: Request) -> Response:
        try:
            self.faults.order(await _json(request))
        except BadFault as error:
            return _wrong("bad_fault", error)
        return JSONResponse({"ok": True, "faults": self.faults.as_json()})

    def state(self, latest: int | None = None) -> dict[str, Any]:
        """The truth about the calls, for `GET /control/model`; in flight includes those that wait.

        `latest` is how many calls and change points; without it 1,000 calls and all change points.
        """
        engine = self.engine
        engine.advance()
        calls = newest(engine.calls, _CALLS if latest is None else latest)
        return {
            "in_flight": engine.in_flight,
            "running": len(engine.running),
            "waiting": len(engine.waiting),
            "slots": engine.shape.slots,
            "memory_used": engine.memory_used,
            **engine.record.as_json(engine.now, latest),
            "calls": [call.as_json() for call in calls],
            "shape": dataclasses.asdict(engine.shape) | {"api_key": bool(engine.shape.api_key)},
            "faults": self.faults.as_json(),
        }


async def _json(request: Request) -> dict[str, Any]:
    try:
        content = json.loads(await request.body() or b"{}")
    except ValueError:
        return {"": "the body is not JSON"}
    return content if isinstance(content, dict) else {"": "the body is not an object"}


def _refusal(refusal: refusals.Refusal) -> Response:
    return JSONResponse(refusal.body, refusal.status, refusal.headers)


def _wrong(code: str, error: Exception | str) -> Response:
    return JSONResponse({"error": code, "detail": str(error)}, 400)
