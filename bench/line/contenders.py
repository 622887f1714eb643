"""What people put before a model server, each as real processes; and the oracle that none of them can beat."""

import asyncio
import contextlib
import functools
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
from celery import Celery

from bench import machine
from bench.line import plain_celery
from bench.line.model import Model, body, process, server
from bench.line.play import Answer, Contender
from bench.line.trace import Ask
from tests import services

# Seconds; longer than any answer takes.
PATIENCE = 600
SEMAPHORE = 4  # of each request's own calls
# A Python that has LiteLLM; it is none of our dependencies.
LITELLM_PYTHON = "BENCH_LITELLM_PYTHON"

Make = Callable[[str, int], contextlib.AbstractContextManager[Contender]]


@contextlib.contextmanager
def oracle(profile: str, calls: int) -> Iterator[Contender]:
    """Keeps exactly `calls` in flight while there is work, and knows that number beforehand."""
    with server(profile) as model:
        yield Contender("oracle", model, lambda: direct(model, calls))


@contextlib.asynccontextmanager
async def direct(model: Model, calls: int) -> AsyncIterator[Answer]:
    """Asks the server with one semaphore for everybody; what it refuses is asked again."""
    slots = asyncio.Semaphore(calls)
    async with _client() as client:

        async def answer(ask: Ask) -> float | None:
            async with slots:
                for _ in range(PATIENCE):
                    if await _good(client, f"{model.url}/chat/completions", body(ask)):
                        return time.time()
                    await asyncio.sleep(1)
            return None

        yield answer


@contextlib.contextmanager
def naive(profile: str, calls: int, semaphore: int = 0) -> Iterator[Contender]:
    """A web service that calls the model at once; its clients do not ask twice."""
    url = f"http://127.0.0.1:{services.free_port()}"
    with server(profile) as model, services.folder("naive") as folder:
        words = ["-m", "bench.line.naive", url.rpartition(":")[2], model.url, str(semaphore)]
        with process("naive", folder, words, f"{url}/ready"):
            yield Contender("naive", model, functools.partial(_by_web, f"{url}/analyze"))


@contextlib.asynccontextmanager
async def _by_web(url: str) -> AsyncIterator[Answer]:
    async with _client() as client:

        async def answer(ask: Ask) -> float | None:
            return time.time() if await _good(client, url, body(ask)) else None

        yield answer


@contextlib.contextmanager
def celery(profile: str, calls: int, workers: int = 1) -> Iterator[Contender]:
    """Plain Celery tasks; each worker has the best limit as its concurrency."""
    with server(profile) as model, services.valkey_server() as broker, services.folder("celery") as folder:
        file = folder / "ended"
        file.touch()
        with contextlib.ExitStack() as stack:
            for number in range(workers):
                name = f"worker-{number}"
                words = ["-m", "bench.line.plain_celery", broker.url, model.url, str(file), str(calls), name]
                # Celery's own command line reads BROKER_URL, and prefers it to what the application says.
                stack.enter_context(process(name, folder, words, "", {"BROKER_URL": broker.url}))
            app = plain_celery.make(broker.url)
            yield Contender("celery", model, functools.partial(_by_celery, app, file))


@contextlib.asynccontextmanager
async def _by_celery(app: Celery, file: pathlib.Path) -> AsyncIterator[Answer]:
    waiting: dict[str, asyncio.Future[float | None]] = {}

    async def answer(ask: Ask) -> float | None:
        sent = await asyncio.to_thread(app.send_task, plain_celery.TASK, (body(ask),))
        return await waiting.setdefault(sent.id, asyncio.get_running_loop().create_future())

    async def watch() -> None:
        with file.open() as lines:
            lines.seek(0, os.SEEK_END)
            while True:
                for line in lines:
                    _settle(waiting, line)
                await asyncio.sleep(0.05)

    async with beside(watch()):
        yield answer


@functools.cache
def litellm_version() -> str | None:
    """The LiteLLM that can be measured here; None: there is none."""
    ask = "import importlib.metadata as found; print(found.version('litellm'))"
    command = [_litellm_python(), "-c", ask]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _litellm_python() -> str:
    return os.environ.get(LITELLM_PYTHON) or sys.executable


@contextlib.contextmanager
def litellm(profile: str, calls: int) -> Iterator[Contender]:
    """LiteLLM's router with `max_parallel_requests`, in one process."""
    with server(profile) as model:
        yield Contender("litellm", model, lambda: _by_router(model, calls))


@contextlib.asynccontextmanager
async def _by_router(model: Model, calls: int) -> AsyncIterator[Answer]:
    script = str(machine.ROOT / "bench" / "line" / "litellm_router.py")
    router = await asyncio.create_subprocess_exec(
        _litellm_python(),
        *(script, model.url, str(calls)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # Its list of prices, from the package and not from the net.
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""},
    )
    services.guardian().watch(router.pid)
    assert router.stdin
    assert router.stdout
    told, asked = router.stdout, router.stdin
    waiting: dict[str, asyncio.Future[float | None]] = {}

    async def answer(ask: Ask) -> float | None:
        key = str(ask.number)
        future = waiting.setdefault(key, asyncio.get_running_loop().create_future())
        asked.write(json.dumps({"id": key, "body": body(ask)}).encode() + b"\n")
        return await future

    async def watch() -> None:
        while line := await told.readline():
            _settle(waiting, line.decode())

    try:
        ready = await asyncio.wait_for(told.readline(), 120)
        assert b"ready" in ready, ready
        async with beside(watch()):
            yield answer
    finally:
        with contextlib.suppress(ProcessLookupError):
            router.kill()
        await router.wait()
        services.guardian().forget(router.pid)


def _settle(waiting: dict[str, "asyncio.Future[float | None]"], line: str) -> None:
    """A contender says `[id, whether it was answered, when]`, perhaps before its ask has heard the id."""
    key, good, at = json.loads(line)
    future = waiting.setdefault(key, asyncio.get_running_loop().create_future())
    if not future.done():
        future.set_result(at if good else None)


@contextlib.asynccontextmanager
async def beside(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _good(client: httpx.AsyncClient, url: str, content: dict[str, Any]) -> bool:
    try:
        response = await client.post(url, json=content)
    except httpx.HTTPError:
        return False
    return response.status_code == 200


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=PATIENCE, limits=httpx.Limits(max_connections=None), trust_env=False)
