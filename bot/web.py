"""The HTTP server: Slack's requests, the API, health and metrics."""

import asyncio
import pathlib
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import sqlalchemy as sa
import structlog
from fastapi import FastAPI, Request, Response
from kombu.connection import Connection
from slack_bolt import App, BoltRequest
from slack_bolt.adapter.starlette.handler import to_starlette_response
from slack_sdk.signature import SignatureVerifier
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from bot import api, payloads
from bot.metrics import Metrics
from bot.socket import CONNECTIONS, Socket
from db import backends, session
from tasks.app import SWEEP_WITHIN
from tasks.resources import Resources

log = structlog.get_logger()

# Slack's largest payload is a message of 40,000 characters with its blocks.
LARGEST_BODY = 2 * 1024 * 1024

# Bytes on SQLite's disk: the largest request, in the write-ahead log and then in the file.
LEAST_ROOM = 2 * api.LONGEST_FORM

# For bells that are not sent yet when the process is told to end.
FLUSH = timedelta(seconds=2)


def create_web(resources: Resources, app: App) -> FastAPI:
    """The ASGI application; with an app token it also listens by Socket Mode while it runs."""
    metrics = Metrics(resources)

    @asynccontextmanager
    async def lifespan(_web: FastAPI) -> AsyncIterator[None]:
        listens = bool(resources.settings.slack_app_token.get_secret_value())
        sockets = [Socket(resources, app, metrics) for _ in range(CONNECTIONS if listens else 0)]
        for socket in sockets:
            socket.open()
        yield
        # At once: slack-sdk waits some seconds for each to hear nothing more.
        await asyncio.gather(*(run_in_threadpool(socket.end) for socket in sockets))
        # Here, and not after Uvicorn has run: it ends by the signal that it was told to end with.
        await run_in_threadpool(resources.bell.flush, FLUSH)

    web = FastAPI(title="Threadline", version=api.VERSION, lifespan=lifespan, redoc_url=None)

    @web.exception_handler(ClientDisconnect)
    def hung_up(_request: Request, _error: Exception) -> Response:
        # Before we had heard all of it; nobody reads this.
        return Response(status_code=400)

    _add_slack(web, resources, app, metrics)
    _add_health(web, resources, metrics)
    web.include_router(api.router(resources))
    return web


def _add_slack(web: FastAPI, resources: Resources, app: App, metrics: Metrics) -> None:
    secret = resources.settings.slack_signing_secret.get_secret_value()
    verifier = SignatureVerifier(secret) if secret.strip() else None

    @web.post("/slack/events", include_in_schema=False)
    async def slack_events(request: Request) -> Response:
        began = time.perf_counter()
        body = await _bounded_body(request)
        if body is None:
            return Response(status_code=413)
        # Before anything reads the body, and with no way round it.
        if not _is_signed(verifier, body, request):
            log.warning("request.unverified")
            return Response(status_code=401)
        try:
            bolt_request = _bolt_request(body, request)
            # In a thread: a listener commits to the database, and must not hold up everybody else.
            response = to_starlette_response(await run_in_threadpool(app.dispatch, bolt_request))
        except payloads.Malformed as error:
            log.warning("payload.malformed", missing=str(error))
            response = Response(status_code=400)
        except Exception as error:  # noqa: BLE001 (a door: bot.app answers our own; this is Bolt over junk)
            log.warning("payload.malformed", missing=type(error).__name__)
            response = Response(status_code=400)
        metrics.acknowledged("http", response.status_code, time.perf_counter() - began)
        return response


def _add_health(web: FastAPI, resources: Resources, metrics: Metrics) -> None:
    @web.get("/healthz", tags=["health"])
    def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "alive"}

    @web.get("/readyz", tags=["health"])
    def readyz(response: Response) -> dict[str, str]:
        """The database and the broker answer, SQLite has room, and the sweep runs: 200; else 503, and what is wrong."""
        checks = {
            "database": _database(resources),
            "broker": _broker(resources),
            "sweep": _sweep(resources),
        }
        if set(checks.values()) != {"ok"}:
            response.status_code = 503
        return checks

    @web.get("/metrics", include_in_schema=False)
    def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _bounded_body(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


def _is_signed(verifier: SignatureVerifier | None, body: bytes, request: Request) -> bool:
    try:
        return verifier is not None and verifier.is_valid_request(body, dict(request.headers))
    except (ValueError, TypeError, OverflowError):
        # A time that is no number, a body that is no UTF-8, a signature outside ASCII: all of them forged.
        return False


def _bolt_request(body: bytes, request: Request) -> BoltRequest:
    """The request as Socket Mode would bring it, so that both doors behave the same; raises Malformed."""
    payload = payloads.read(body, request.headers.get("content-type", ""))
    try:
        return BoltRequest(body=dict(payload), headers=dict(request.headers), mode="socket_mode")
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Bolt looks for ids before it calls us, and takes for granted what stands around them.
        raise payloads.Malformed(type(error).__name__) from None


def _database(resources: Resources) -> str:
    try:
        with session.reading(resources.engine) as reading:
            reading.execute(sa.text("SELECT 1 FROM jobs LIMIT 1"))
    except sa.exc.SQLAlchemyError as error:
        return type(error).__name__
    return _room(resources.engine.url)


def _room(database: sa.URL) -> str:
    """What reading does not tell: with a full disk nothing is acknowledged. A server's own disk is not seen from here."""
    if database.get_backend_name() != "sqlite" or not database.database:
        return "ok"
    free = shutil.disk_usage(pathlib.Path(database.database).absolute().parent).free
    return "ok" if free >= LEAST_ROOM else f"{free // 10**6} MB free on its disk"


def _sweep(resources: Resources) -> str:
    """Without sweeps, requests are still taken and mostly answered, but what gets lost stays lost."""
    try:
        with session.reading(resources.engine) as reading:
            swept = backends.last_swept(reading)
    except sa.exc.SQLAlchemyError as error:
        return type(error).__name__
    if swept is None:
        return "never"
    since = resources.clock() - swept
    return "ok" if since <= SWEEP_WITHIN else f"{since.total_seconds():.0f} s ago"


def _broker(resources: Resources) -> str:
    url = resources.settings.broker_url.get_secret_value()
    try:
        with Connection(url, connect_timeout=2, transport_options={"socket_timeout": 2}) as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:  # noqa: BLE001 (each transport has errors of its own; all mean "not ready")
        return type(error).__name__
    return "ok"
