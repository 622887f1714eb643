"""The playground as one ASGI application: Slack, the model server, the page and the control calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from playground.config import Config
from playground.model import DEMO, ModelServer
from playground.slack.control import answer
from playground.slack.files import SIGNED_IN
from playground.slack.routes import routes as slack_routes
from playground.slack.stand_in import Slack

PAGE = Path(__file__).resolve().parent / "page"
# The page loads nothing from elsewhere, and runs no script but its own files.
PAGE_HEADERS = {
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob: https: http:; frame-ancestors 'none'",
}


def create_app(config: Config) -> Starlette:
    """Build the application. `app.state.slack` and `app.state.model` are the two stand-ins."""
    slack = Slack(config)
    model = ModelServer(DEMO)

    async def clear_faults(request: Request) -> Response:
        slack.faults.clear()
        model.clear_faults()
        return answer({"ok": True})

    async def reset(request: Request) -> Response:
        slack.reset()
        model.reset()
        return answer({"ok": True})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # Slack's three seconds are counted over the whole request (delivery.py); this is for what hangs beyond.
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=100)
        async with httpx.AsyncClient(
            timeout=config.ack_seconds + 1, limits=limits, trust_env=False
        ) as client:
            slack.client = client
            yield
            slack.delivery.cancel()
            slack.bus.close()
            slack.client = None

    everything: list[BaseRoute] = [
        Route("/control/faults", clear_faults, methods=["DELETE"]),
        Route("/control/reset", reset, methods=["POST"]),
        *slack_routes(slack),
        *model.routes(),
        Route("/", _index),
        Route("/page/{path:path}", _page),
    ]
    app = Starlette(routes=everything, lifespan=lifespan)
    app.state.slack = slack
    app.state.model = model
    return app


async def _index(request: Request) -> Response:
    response = _file("index.html")
    # A person with the page open is signed in and may look at files; SameSite keeps other sites from using it.
    response.headers["set-cookie"] = f"{SIGNED_IN}; Path=/files; HttpOnly; SameSite=Strict"
    return response


async def _page(request: Request) -> Response:
    return _file(request.path_params["path"])


def _file(path: str) -> Response:
    # A path that leads out of the page's folder is no file of the page; a NUL in it is no path at all.
    try:
        file = (PAGE / path).resolve()
        found = file.is_relative_to(PAGE) and file.is_file()
    except ValueError:
        found = False
    return FileResponse(file, headers=PAGE_HEADERS) if found else PlainTextResponse("Not found", 404)
