"""Threadline itself, whole: 24 people are 24 API tokens, and requests come through POST /api/analyses."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa

from bench import product
from bench.line.contenders import beside
from bench.line.model import Model
from bench.line.play import Answer, Contender
from bench.line.trace import PEOPLE, Ask
from db import session
from db.models import Backend, Job
from db.states import JobState, Origin
from tests import services

LOOK_EVERY = 0.2  # seconds
# Posted at once by a client; the web process has as many threads for them.
POSTS = 16
WARM_UP = 4
GOOD = {JobState.ANSWERED, JobState.DONE}
TOKENS = {person: f"bench-token-{person}" for person in PEOPLE}
SETTINGS = {
    "API_TOKENS": ",".join(f"{person}:{token}" for person, token in TOKENS.items()),
    # The limit is to be what holds calls back, and nothing else.
    "INFER_CONCURRENCY": "96",
    "MOST_OPEN": "100000",
    "LLM_CONTEXT": "8192",
}


@dataclass
class Watch:
    """What the database says while a trace runs: the limit as [moment, limit]."""

    limits: list[tuple[float, int]] = field(default_factory=list)


@contextlib.contextmanager
def threadline(profile: str, limit: str, watch: Watch | None = None) -> Iterator[Contender]:
    """All processes of the product, with LLM_LIMIT a number or `auto`."""
    database = product.databases()[-1]
    with product.running(database, LLM_LIMIT=limit, **SETTINGS) as running:
        model = Model(running.play)
        model.become(profile)
        _warm_up(running)
        yield Contender("threadline", model, lambda: _by_api(running, watch or Watch()))


def _warm_up(running: product.Product) -> None:
    """A few asks, so that nobody's first import is measured; too few to teach a limit anything."""
    for number in range(WARM_UP):
        headers = {"authorization": f"Bearer {TOKENS[PEOPLE[number]]}"}
        content = {"text": Ask(number, 0, PEOPLE[number], 20, 10).text()}
        url = f"{running.web}/api/analyses"
        httpx.post(url, json=content, headers=headers, timeout=30, trust_env=False).raise_for_status()
    services.wait_for(lambda: running.count(*GOOD) == WARM_UP, 60, "the first answers")


@contextlib.asynccontextmanager
async def _by_api(running: product.Product, watch: Watch) -> AsyncIterator[Answer]:
    waiting: dict[str, asyncio.Future[float | None]] = {}
    posting = asyncio.Semaphore(POSTS)

    async def answer(ask: Ask) -> float | None:
        headers = {"authorization": f"Bearer {TOKENS[ask.person]}"}
        async with posting:
            response = await client.post("/api/analyses", json={"text": ask.text()}, headers=headers)
        if response.status_code != 202:
            return None
        return await waiting.setdefault(response.json()["id"], asyncio.get_running_loop().create_future())

    async def look() -> None:
        since = datetime.now(UTC)
        while True:
            await asyncio.sleep(LOOK_EVERY)
            ended, limit = await asyncio.to_thread(_look, running.engine, since)
            _note(watch, limit)
            for job_id, state, at in ended:
                future = waiting.setdefault(job_id, asyncio.get_running_loop().create_future())
                if not future.done():
                    future.set_result(at.timestamp() if state in GOOD else None)
                # Commits do not come in the order of their times.
                since = max(since, at - timedelta(seconds=5))

    async with (
        httpx.AsyncClient(base_url=running.web, timeout=60, trust_env=False) as client,
        beside(look()),
    ):
        yield answer


def _look(engine: sa.Engine, since: datetime) -> tuple[list[tuple[str, JobState, datetime]], int]:
    ended = sa.select(Job.id, Job.state, Job.ended_at).where(Job.origin == Origin.API, Job.ended_at >= since)
    with session.reading(engine) as reading:
        rows = [tuple(row) for row in reading.execute(ended)]
        return rows, reading.scalar(sa.select(Backend.limit)) or 0


def _note(watch: Watch, limit: int) -> None:
    if not watch.limits or watch.limits[-1][1] != limit:
        watch.limits.append((time.time(), limit))
