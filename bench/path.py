"""From the acknowledgement to the answer in the thread, with a model that answers at once, one at a time."""

import random
import time
from typing import Any

import sqlalchemy as sa

from bench import events, load, product
from bench.numbers import curve, spread
from bench.say import Say
from db import session
from db.models import Event, Job, Post
from db.states import PostKind
from tests import services

REQUESTS, QUICK_REQUESTS = 60, 12
STAGES = ("to prepare", "preparing", "to infer", "inferring", "to the post")


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Seconds, for each database; and where they go."""
    requests = QUICK_REQUESTS if quick else REQUESTS
    cases = []
    for database in product.databases():
        say(f"{database}: {requests} requests, one at a time")
        with product.running(database) as running:
            product.warm_up(running, seed)
            case = _case(seed, running, requests)
        say(f"  p50 {case['p50'] * 1000:.0f} ms  p99 {case['p99'] * 1000:.0f} ms")
        cases.append({"database": database, **case})
    return {"requests": requests, "cases": cases}


def _case(seed: random.Random, running: product.Product, requests: int) -> dict[str, Any]:
    channels = [running.channel(f"path-{number}") for number in range(requests)]
    taken, asked = [], []
    for number, channel in enumerate(channels):
        user, words = product.PEOPLE[number % len(product.PEOPLE)], events.text(seed)
        ts = running.say(user, channel, words)
        url = f"{running.web}/slack/events"
        body = events.mention(seed, user, channel, ts, words, None)
        answer = load.rush(url, [load.request(url, body, events.headers(body))])[0]
        assert answer.status == 200, answer
        posted = services.wait_for(lambda: _result_ts(running, channel, ts), 30, "the result")  # noqa: B023 - asked at once
        # A message's ts is the moment when the stand-in took it, by the clock of this machine.
        taken.append(float(posted) - answer.at)
        asked.append((channel, ts, answer.at))
        time.sleep(seed.uniform(0, 0.2))  # so that the requests meet the sweep at every phase of its second
    return {**spread(taken), "curve": curve(taken), "stages": _stages(running, asked)}


def _result_ts(running: product.Product, channel: str, ts: str) -> str | None:
    # Rarely asked: each look costs the stand-in a moment, and its answer does not depend on when we look.
    time.sleep(0.04)
    seen = running.play.get("/control/messages", params={"channel": channel, "thread_ts": ts}).json()
    for message in seen["messages"][1:]:
        if message.get("metadata", {}).get("event_payload", {}).get("kind") == PostKind.RESULT:
            return str(message["ts"])
    return None


def _stages(running: product.Product, asked: list[tuple[str, str, float]]) -> dict[str, dict[str, float]]:
    """Where the time goes, by the times that the rows hold."""
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with session.reading(running.engine) as reading:
        for channel, ts, acknowledged in asked:
            job = reading.scalars(sa.select(Job).where(Job.channel == channel, Job.message_ts == ts)).one()
            at = {
                event.name: event.at.timestamp()
                for event in reading.scalars(sa.select(Event).where(Event.job_id == job.id))
            }
            result = sa.select(Post.ts).where(Post.job_id == job.id, Post.kind == PostKind.RESULT)
            assert job.started_at is not None
            points = [
                *(acknowledged, job.started_at.timestamp()),
                *(at["prepared"], at["running"], at["answered"], float(reading.scalars(result).one() or 0)),
            ]
            for stage, begun, ended in zip(STAGES, points, points[1:], strict=False):
                times[stage].append(ended - begun)
    return {stage: spread(seconds) for stage, seconds in times.items()}
