"""The real front door for tests: the FastAPI application over a migrated database, spoken to with signed HTTP."""

import asyncio
import dataclasses
import hashlib
import hmac
import itertools
import json
import pathlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from slack_bolt import App
from structlog.testing import capture_logs

from bot.__main__ import PATIENCE
from bot.app import create_app
from bot.web import create_web
from db import __main__ as database
from db import session
from db.models import Job, Person, Post
from tasks.resources import Resources
from tasks.settings import Settings

SECRET = "rig-signing-secret"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

# Where nobody listens: port 9 is "discard", and no test opens it.
NOWHERE = "127.0.0.1:9"

# Who is not served in time is a test's own matter: with this little patience (the product's is 2 seconds) it is quick.
IMPATIENCE = timedelta(milliseconds=100)


class RecordingBell:
    """Instead of a broker: remembers who was rung for."""

    def __init__(self) -> None:
        self.rings: list[tuple[str, str]] = []

    def ring_prepare(self, job_id: str) -> None:
        self.rings.append(("prepare", job_id))

    def ring_infer(self, backend: str, times: int = 1) -> None:
        self.rings.append(("infer", backend))

    def ring_deliver(self, lane: str) -> None:
        self.rings.append(("deliver", lane))

    def flush(self, limit: timedelta) -> None:
        """Nothing waits to be sent."""


class Client:
    """Requests to an ASGI application, each answered when the call returns; threads may share it."""

    def __init__(self, web: FastAPI) -> None:
        # An error that nothing catches becomes the 500 that the tests look for.
        self._transport = httpx.ASGITransport(web, raise_app_exceptions=False)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://front.door") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)


@dataclasses.dataclass
class Door:
    """The application, its rows, and what it rang and logged."""

    resources: Resources
    client: Client
    app: App
    bell: RecordingBell
    logged: list[dict[str, Any]]

    def send(self, body: bytes | str, kind: str = "application/json", **headers: str) -> httpx.Response:
        """A signed request; `headers` (x_slack_...) add to the right ones, or replace them."""
        raw = body if isinstance(body, bytes) else body.encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            "/slack/events", content=raw, headers={"content-type": kind, **signature(raw), **named}
        )

    def event(self, payload: object, **headers: str) -> httpx.Response:
        return self.send(json.dumps(payload), **headers)

    def command(self, fields: dict[str, str], **headers: str) -> httpx.Response:
        return self.send(urlencode(fields), "application/x-www-form-urlencoded", **headers)

    def interaction(self, payload: object) -> httpx.Response:
        return self.command({"payload": json.dumps(payload)})

    def jobs(self) -> list[Job]:
        with session.reading(self.resources.engine) as reading:
            return list(reading.scalars(sa.select(Job).order_by(Job.created_at, Job.id)))

    def posts(self) -> list[Post]:
        with session.reading(self.resources.engine) as reading:
            return list(reading.scalars(sa.select(Post).order_by(Post.id)))

    def job(self) -> Job:
        """The only job."""
        (job,) = self.jobs()
        return job

    def speaks(self, user: str, locale: str, team: str = "T1") -> None:
        """Let a person be known with the locale that Slack told."""
        with session.transaction(self.resources.engine) as transaction:
            transaction.merge(Person(team=team, user=user, locale=locale, name=user, seen_at=NOW))

    def change(self, job: Job, **values: object) -> None:
        with session.transaction(self.resources.engine) as transaction:
            transaction.execute(sa.update(Job).where(Job.id == job.id).values(**values))


def signature(body: bytes, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    """Slack's headers for a body sent at a time, by default now."""
    stamp = str(int(time.time() if at is None else at))
    # Not with the SDK's generator, which takes only UTF-8: a forger need not keep to it.
    signed = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={signed}"}


def settings(**chosen: object) -> Settings:
    """Settings that no environment and no `.env` changes."""
    defaults: dict[str, object] = {
        "slack_signing_secret": SECRET,
        "slack_bot_token": "xoxb-rig-token",
        "slack_api_url": f"http://{NOWHERE}/api/",
        "broker_url": f"redis://{NOWHERE}/0",
    }
    return Settings(_env_file=None, **{**defaults, **chosen})


@contextmanager
def opened(
    database_url: str, bell: Any = None, patience: timedelta = PATIENCE, **chosen: object
) -> Iterator[Door]:
    """A front door on a migrated database. With `bell=False` the real bell rings."""
    resources = Resources(settings(database_url=database_url, **chosen), clock=lambda: NOW, patience=patience)
    recording = RecordingBell()
    if bell is not False:
        resources.__dict__["bell"] = bell or recording
    app = create_app(resources)
    try:
        with capture_logs() as logged:
            yield Door(resources, Client(create_web(resources, app)), app, recording, logged)
    finally:
        resources.engine.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("front-door") / "migrated.db"
    database.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: pathlib.Path, tmp_path: pathlib.Path) -> str:
    """A migrated SQLite database of the test's own."""
    path = tmp_path / "threadline.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def door(sqlite_url: str) -> Iterator[Door]:
    with opened(sqlite_url) as made:
        yield made


@pytest.fixture
def either_door(migrated_url: str) -> Iterator[Door]:
    """The same on SQLite and on PostgreSQL, for what the database decides."""
    with opened(migrated_url) as made:
        yield made


# Payloads, as facts/slack.md and Bolt's own test data have them.

_numbers = itertools.count(1)


def mention(text: str = "<@U0BOT> Some text to analyze.", **event: object) -> dict[str, Any]:
    """`@Threadline` in a channel."""
    return _callback({"type": "app_mention", "channel": "C1", "text": text, **event})


def direct(text: str = "Some text to analyze.", **event: object) -> dict[str, Any]:
    """A direct message to the bot."""
    return _callback({"type": "message", "channel_type": "im", "channel": "D1", "text": text, **event})


def _callback(event: dict[str, Any]) -> dict[str, Any]:
    number = next(_numbers)
    said = {"user": "U1", "ts": f"1763800000.{number:06}", "team": "T1", **event}
    return {
        "token": "unused",
        "team_id": "T1",
        "api_app_id": "A1",
        "event": {**said, "event_ts": said["ts"]},
        "type": "event_callback",
        "event_id": f"Ev{number:08}",
        "event_time": 1763800000,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": "T1",
                "user_id": "U0BOT",
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }


def command(text: str = "Some text to analyze.", **fields: str) -> dict[str, str]:
    """`/analyze <text>`."""
    number = next(_numbers)
    return {
        "token": "unused",
        "team_id": "T1",
        "team_domain": "rig",
        "channel_id": "C1",
        "channel_name": "general",
        "user_id": "U1",
        "user_name": "someone",
        "command": "/analyze",
        "text": text,
        "api_app_id": "A1",
        "is_enterprise_install": "false",
        "response_url": f"http://{NOWHERE}/hooks/1",
        "trigger_id": f"{number}.1.abc",
        **fields,
    }


def shortcut(text: str = "Some text to analyze.", **changed: object) -> dict[str, Any]:
    """ "Analyze this message" from a message's menu."""
    number = next(_numbers)
    return {
        "type": "message_action",
        "token": "unused",
        "action_ts": "1763800001.000001",
        "team": {"id": "T1", "domain": "rig"},
        "user": {"id": "U1", "name": "someone", "username": "someone", "team_id": "T1"},
        "channel": {"id": "C1", "name": "general"},
        "is_enterprise_install": False,
        "enterprise": None,
        "callback_id": "analyze_message",
        "trigger_id": f"{number}.1.abc",
        "response_url": f"http://{NOWHERE}/hooks/1",
        "message_ts": f"1763800000.{number:06}",
        "message": {
            "type": "message",
            "user": "U2",
            "text": text,
            "ts": f"1763800000.{number:06}",
            "team": "T1",
        },
        **changed,
    }


def press(
    value: object, user: str = "U1", team: str = "T1", action: str = "retry", **changed: object
) -> dict[str, Any]:
    """A press of a button that carries `value`."""
    return {
        "type": "block_actions",
        "user": {"id": user, "username": "someone", "name": "someone", "team_id": team},
        "api_app_id": "A1",
        "token": "unused",
        "container": {"type": "message", "message_ts": "1763800009.000001", "channel_id": "C1"},
        "trigger_id": "9.1.abc",
        "team": {"id": team, "domain": "rig"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": "C1", "name": "general"},
        "message": {"type": "message", "user": "U0BOT", "text": "It failed.", "ts": "1763800009.000001"},
        "state": {"values": {}},
        "response_url": f"http://{NOWHERE}/hooks/1",
        "actions": [
            {
                "action_id": action,
                "block_id": "b1",
                "type": "button",
                "value": value,
                "action_ts": "1763800010.000001",
            }
        ],
        **changed,
    }


def fields_of(job: Job) -> dict[str, Any]:
    """All columns of a job."""
    return {name: value for name, value in vars(job).items() if name[0] != "_"}
