"""The whole product as real processes, with the playground as one more, so that no load shares its core."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa

from bench import events, machine
from db import session
from db.models import Job
from db.states import JobState
from playground.slack.state import BOT_USER
from tests import services

ROOT = machine.ROOT
WORKERS = ("prepare", "infer", "deliver", "beat")
API_TOKEN = "bench-token-0123456789"
BOT_TOKEN = "xoxb-bench"
PEOPLE = ("U0ADA", "U0LEO", "U0MINJI", "U0SOYEON")
# More than the stages can use, so that the model is never what is waited for.
LLM_LIMIT, SLOTS = 16, 64


@dataclass
class Product:
    """Everything running."""

    web: str
    play: httpx.Client
    broker_url: str
    broker_pid: int
    engine: sa.Engine
    folder: pathlib.Path
    environment: dict[str, str]
    servers: dict[str, services.Server] = field(default_factory=dict)

    def act(self, call: str, **body: Any) -> dict[str, Any]:
        """A control call of the playground that must succeed."""
        response = self.play.post(f"/control/{call}", json=body)
        response.raise_for_status()
        return dict(response.json())

    def channel(self, name: str) -> str:
        """A new channel with everybody in it."""
        return str(self.act("channel", name=name)["channel"]["id"])

    def say(self, user: str, channel: str, text: str) -> str:
        """A message that no event is sent for: the bench sends it itself, and so knows when it was heard."""
        return str(self.act("say", user=user, channel=channel, text=text)["ts"])

    def count(self, *states: JobState) -> int:
        """Jobs in one of these states."""
        with session.reading(self.engine) as reading:
            wanted = sa.select(sa.func.count()).select_from(Job).where(Job.state.in_(states))
            return reading.scalar(wanted) or 0

    def wait_done(self, jobs: int, limit: float) -> None:
        """Until so many jobs are done; a failed one is an error."""

        def done() -> bool:
            time.sleep(0.2)
            failed = self.count(JobState.FAILED, JobState.CANCELLED)
            if failed:
                raise RuntimeError(f"{failed} jobs failed; see .threadline/bench/logs")
            return self.count(JobState.DONE) >= jobs

        services.wait_for(done, limit, f"{jobs} jobs are done")

    def start(self, name: str, *command: str, address: str | None = None, **environment: str) -> None:
        """Start a process; with an address, wait until it answers there."""
        place = self.folder / name
        place.mkdir()
        self.servers[name] = services.Server(
            name,
            [sys.executable, "-m", *command],
            address or "",
            place,
            ready=lambda: address is None or _answers(address),
            env=self.environment | environment,
            start_limit=60,
        )
        self.servers[name].start()

    def stop(self, name: str) -> None:
        self.servers.pop(name).stop()


@contextlib.contextmanager
def running(kind: str, *, workers: bool = True, **settings: str) -> Iterator[Product]:
    """Start everything on a fresh broker and a fresh database ("sqlite" or "postgresql")."""
    with (
        services.valkey_server() as broker,
        services.folder("bench") as folder,
        database(kind, folder) as database_url,
        contextlib.closing(_Engine(database_url)) as held,
    ):
        web, play = (f"http://127.0.0.1:{services.free_port()}" for _ in range(2))
        environment = _environment(database_url, broker.url, web, play, folder) | settings
        with httpx.Client(base_url=play, timeout=30, trust_env=False) as client:
            product = Product(web, client, broker.url, _pid(broker), held.engine, folder, environment)
            try:
                product.start("playground", "playground", address=play)
                product.act("limits", enforce=False)
                product.act("model", slots=SLOTS, answer="fixed", text="An answer of one line.", **_AT_ONCE)
                _release(product)
                for worker in WORKERS if workers else ():
                    product.start(worker, "tasks", worker)
                # Without workers nothing sweeps, and web is never ready.
                product.start("web", "bot", address=f"{web}/{'readyz' if workers else 'healthz'}")
                yield product
            except BaseException:
                kept = ROOT / ".threadline" / "bench" / "logs"
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                raise
            finally:
                for name in reversed(list(product.servers)):
                    product.stop(name)


_AT_ONCE = {"tokens_per_second": 0, "prefill_tokens_per_second": 0, "first_token_seconds": 0}


def databases() -> Sequence[str]:
    """Those that can be measured here."""
    return ("sqlite", "postgresql") if machine.postgres() else ("sqlite",)


def _pid(server: services.Server) -> int:
    assert server.process is not None
    return server.process.pid


class _Engine:
    def __init__(self, url: str) -> None:
        self.engine = session.connect(url, pool_size=2)

    def close(self) -> None:
        self.engine.dispose()


@contextlib.contextmanager
def database(kind: str, folder: pathlib.Path) -> Iterator[str]:
    """The address of a fresh one, "sqlite" or "postgresql", as people run it."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'threadline.db'}"
        return
    with services.postgres_server(durable=True) as server, services.postgres_database(server.url) as url:
        yield url


def _environment(
    database_url: str, broker_url: str, web: str, play: str, folder: pathlib.Path
) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": events.SIGNING_SECRET,
        "SLACK_APP_TOKEN": "",
        "SLACK_API_URL": f"{play}/api/",
        "LLM_URL": f"{play}/v1",
        "LLM_MODEL": "fixed",
        "LLM_LIMIT": str(LLM_LIMIT),
        "API_TOKENS": f"bench:{API_TOKEN}",
        # A few people here stand for many.
        "MOST_OPEN": "100000",
        "PORT": web.rpartition(":")[2],
        "PLAYGROUND_PORT": play.rpartition(":")[2],
        "PLAYGROUND_REQUEST_URL": f"{web}/slack/events",
        "PLAYGROUND_MANIFEST": str(_silent_manifest(folder)),
        "LOG_FORMAT": "json",
        "PYTHONWARNINGS": "ignore::Warning:celery.platforms",
    }


def _silent_manifest(folder: pathlib.Path) -> pathlib.Path:
    """The app's manifest without its events, so that the stand-in sends none."""
    manifest = json.loads((ROOT / "manifest.json").read_text())
    manifest["settings"]["event_subscriptions"]["bot_events"] = []
    file = folder / "manifest.json"
    file.write_text(json.dumps(manifest))
    return file


def _release(product: Product) -> None:
    # A process of its own: Alembic keeps its context in globals, and several products may start at once.
    command = [sys.executable, "-m", "db", "upgrade"]
    subprocess.run(command, cwd=ROOT, env=product.environment, check=True, capture_output=True)


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(address, timeout=5, trust_env=False).status_code == 200
    return False


def warm_up(product: Product, seed: Any, jobs: int = 8) -> int:
    """Let every process do some work, so that nobody's first import is measured; returns the jobs done."""
    from bench import load

    url = f"{product.web}/slack/events"
    channels = [product.channel(f"warm-{number}") for number in range(jobs)]
    for number, channel in enumerate(channels):
        words = events.text(seed)
        user = PEOPLE[number % len(PEOPLE)]
        ts = product.say(user, channel, words)
        body = events.mention(seed, user, channel, ts, words, None)
        answers = load.rush(url, [load.request(url, body, events.headers(body))])
        assert answers[0].status == 200, answers
    product.wait_done(jobs, 60)
    return jobs


__all__ = ["BOT_USER", "PEOPLE", "Product", "database", "databases", "running", "warm_up"]
