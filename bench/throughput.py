"""Jobs per second from end to end, beside a bare Celery chain of three tasks that do nothing."""

import contextlib
import pathlib
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from bench import bare_celery, events, load, product
from bench.say import Say
from db import session
from db.models import Job, Post
from db.states import Origin, PostKind
from tests import services

JOBS, QUICK_JOBS = 300, 60
MOST_TRIES = 10


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Jobs per second for each database, by Slack and by the API, each between two runs of the chain."""
    jobs = QUICK_JOBS if quick else JOBS
    cases = []
    for database in product.databases():
        say(f"{database}: {jobs} jobs by Slack, {jobs} by the API, and the chain before, between and after")
        with product.running(database) as running, _chain(running) as chain:
            done = product.warm_up(running, seed)
            chain.run(50)
            bare = [chain.run(jobs)]
            slack, slack_refused = _slack(seed, running, jobs, done)
            bare.append(chain.run(jobs))
            api, api_refused = _api(seed, running, jobs, done + jobs)
            bare.append(chain.run(jobs))
        middle = statistics.median(bare)
        say(f"  Slack {slack:.1f}/s  API {api:.1f}/s  chain {middle:.0f}/s")
        cases.append(
            {
                "database": database,
                "slack_per_second": round(slack, 2),
                "api_per_second": round(api, 2),
                "refused": slack_refused + api_refused,
                "chain_per_second": round(middle, 2),
                "chain_runs": [round(rate, 2) for rate in bare],
            }
        )
    return {"jobs": jobs, "cases": cases}


def _slack(seed: random.Random, running: product.Product, jobs: int, before: int) -> tuple[float, int]:
    url, requests = f"{running.web}/slack/events", []
    for number in range(jobs):
        user, words = product.PEOPLE[number % len(product.PEOPLE)], events.text(seed)
        # A channel each: Slack takes one message a second in a channel, and Threadline keeps to it.
        channel = running.channel(f"rush-{number}")
        body = events.mention(seed, user, channel, running.say(user, channel, words), words, None)
        requests.append(load.request(url, body, events.headers(body)))
    begun = time.time()
    refused = _rush(url, requests)
    running.wait_done(before + jobs, 60 + jobs)
    with session.reading(running.engine) as reading:
        last = reading.scalar(sa.select(sa.func.max(Post.ts)).where(Post.kind == PostKind.RESULT))
    return jobs / (float(last or 0) - begun), refused


def _api(seed: random.Random, running: product.Product, jobs: int, before: int) -> tuple[float, int]:
    url = f"{running.web}/api/analyses"
    headers = {"authorization": f"Bearer {product.API_TOKEN}", "content-type": "application/json"}
    bodies = [b'{"text": "%s"}' % events.text(seed).partition("summarize ")[2].encode() for _ in range(jobs)]
    begun = time.time()
    refused = _rush(url, [load.request(url, body, headers) for body in bodies])
    running.wait_done(before + jobs, 60 + jobs)
    with session.reading(running.engine) as reading:
        last = reading.scalar(sa.select(sa.func.max(Job.ended_at)).where(Job.origin == Origin.API))
    assert last is not None
    return jobs / (last.timestamp() - begun), refused


def _rush(url: str, requests: list[bytes]) -> int:
    """Send all of them, again and again what is refused, as Slack would; returns the refusals."""
    refused = 0
    left = requests
    for _ in range(MOST_TRIES):
        answers = load.rush(url, left)
        left = [answer.content for answer in answers if answer.status not in {200, 202}]
        refused += len(left)
        if not left:
            return refused
    raise RuntimeError(f"{len(left)} requests were refused {MOST_TRIES} times")


class _Chain:
    def __init__(self, broker: str, note: pathlib.Path) -> None:
        self._app, self._note, self._sent = bare_celery.make(broker), note, 0

    def run(self, jobs: int) -> float:
        """Jobs per second of one run."""
        self._sent += jobs
        begun = time.time()
        bare_celery.send(self._app, jobs)
        ended = services.wait_for(self._ended, 120, "the chain's last task")
        return jobs / (ended - begun)

    def _ended(self) -> float | None:
        count, _, at = self._note.read_text().partition(" ") if self._note.is_file() else ("0", "", "")
        return float(at) if count == str(self._sent) and at else None


@contextlib.contextmanager
def _chain(running: product.Product) -> Iterator[_Chain]:
    note = running.folder / "chain"
    # A database of its own in the same broker, so that the queues do not meet.
    broker = running.broker_url.removesuffix("/0") + "/1"
    for queue in bare_celery.QUEUES:
        # Celery's own command line reads BROKER_URL, and prefers it to what the application says.
        command = ("bench.bare_celery", queue, broker, str(note))
        running.start(f"chain-{queue}", *command, BROKER_URL=broker)
    yield _Chain(broker, note)
