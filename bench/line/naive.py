"""`python -m bench.line.naive PORT MODEL_URL SEMAPHORE`: a web service that calls the model at once.

With a SEMAPHORE above 0 each request makes an `asyncio.Semaphore` of its own around its calls: it limits that
request, and knows nothing of the others.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

# Seconds; longer than any answer takes.
PATIENCE = 600


def create(model_url: str, semaphore: int) -> Starlette:
    client: httpx.AsyncClient

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal client
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits, trust_env=False) as client:
            yield

    async def call(body: bytes) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return await client.post(f"{model_url}/chat/completions", content=body, headers=headers)

    async def analyze(request: Request) -> Response:
        slots = asyncio.Semaphore(semaphore or 1_000_000)
        async with slots:
            answer = await call(await request.body())
        if answer.status_code != 200:
            return PlainTextResponse("the model did not answer", 500)
        return PlainTextResponse(answer.json()["choices"][0]["message"]["content"])

    async def ready(_: Request) -> Response:
        return PlainTextResponse("ok")

    routes = [Route("/analyze", analyze, methods=["POST"]), Route("/ready", ready)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    app = create(sys.argv[2], int(sys.argv[3]))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)
