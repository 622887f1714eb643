"""Delivery against a Slack of random faults: each post once, in order in its thread, at the channel's pace (I4)."""

import contextlib
import random
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pytest

from db import outcomes
from db.models import Job, Post
from db.states import OPEN, JobState, Origin, PostState
from tasks.deliver import stage
from tests.deliveries import LANE
from tests.fakes import Clock, Slack, do, in_line, rows, slack_error, the

LONG = "\n\n".join(f"Paragraph {number}. " + "Word " * 180 for number in range(30))
FILED = "\n\n".join("Word " * 400 for _ in range(200))
SEEDS = range(16)


class Died(BaseException):
    """As SIGKILL: nothing below the door runs any more."""


class Weather:
    """Makes each call of a Slack go wrong with some chance: refused, cut off before or after its effect, killed."""

    METHODS = (
        "chat_postMessage",
        "chat_update",
        "files_upload_v2",
        "conversations_replies",
        "conversations_history",
        "users_info",
    )

    def __init__(self, slack: Slack, chance: random.Random, clock: Clock, bad: float) -> None:
        self.chance, self.clock, self.bad = chance, clock, bad
        for method in self.METHODS:
            setattr(slack, method, self._through(getattr(slack, method)))

    def _through(self, call: Any) -> Any:
        def meets(**asked: Any) -> Any:
            self.clock.move(timedelta(milliseconds=self.chance.randrange(200)))
            if self.chance.random() >= self.bad:
                return call(**asked)
            error = self.chance.choice([
                slack_error("ratelimited", 429, {"Retry-After": str(self.chance.randrange(1, 30))}),
                slack_error("internal_error", 500),
                slack_error("service_unavailable", 503),
                ConnectionRefusedError(),
                TimeoutError(),
                ConnectionResetError(),
                Died(),
            ])  # fmt: skip
            sure = isinstance(error, ConnectionRefusedError) or "ratelimited" in str(error)
            if not sure and self.chance.random() < 0.5:
                call(**asked)
            raise error

        return meets


def sent(slack: Slack) -> list[dict[str, Any]]:
    """What stands in the channel, in the order it came."""
    return sorted(slack.messages, key=lambda message: float(message["ts"]))


def post_number(message: dict[str, Any]) -> Any:
    """The post that a message shows; a file carries its name alone."""
    return message["files"][0]["name"] if "files" in message else message["metadata"]["event_payload"]["post"]


def in_order(slack: Slack) -> bool:
    """Within one job: the card, then the parts of the answer as they count, then the file."""
    threads = defaultdict(list)
    for message in sent(slack):
        name = message["files"][0]["name"] if "files" in message else None
        job = name.split("-")[1].split(".")[0] if name else message["metadata"]["event_payload"]["job"]
        rank = (
            (2, 0) if name else (message["metadata"]["event_payload"]["kind"] != "card", post_number(message))
        )
        threads[job].append(rank)
    return all(ranks == sorted(ranks) for ranks in threads.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_each_post_appears_once_and_in_order_whatever_slack_does(resources, slack: Slack, clock, seed):
    """A seed makes the faults, the deaths and the order of bells; a failing one replays."""
    chance = random.Random(seed)
    asked = [
        in_line(
            resources.engine,
            requester=f"U{number:04}",
            origin=chance.choice([Origin.MENTION, Origin.COMMAND]),
            thread_ts=chance.choice([None, "8.8"]),
        )
        for number in range(6)
    ]
    weather = Weather(slack, chance, clock, bad=0.35)
    for turn in range(600):
        if turn == 300:
            # However long the bad weather lasted, some day it ends.
            weather.bad = 0.0
        if chance.random() < 0.05:
            _move_on(resources, chance, clock, chance.choice(asked))
        # Whoever rings after a death finds the lane held until its lease is over.
        with contextlib.suppress(Died):
            stage.deliver(resources, LANE)
        clock.move(timedelta(seconds=chance.choice([0, 0.3, 1, 5, 40])))
        if turn == 300:
            for job in asked:
                _move_on(resources, chance, clock, job, certainly=True)
    for _ in range(40):
        stage.deliver(resources, LANE)
        clock.move(stage.LONGEST_WAIT + stage.LEASE)

    twice = {
        number: count for number, count in Counter(map(post_number, slack.messages)).items() if count > 1
    }
    assert twice == {}
    assert in_order(slack)
    left = [post for post in rows(resources.engine, Post) if post.state is PostState.WANTED]
    assert left == []
    shown = [post for post in rows(resources.engine, Post) if post.state is PostState.SHOWN]
    assert len(slack.messages) == len(shown)
    assert {the(resources.engine, Job, job.id).state for job in asked} <= {
        JobState.DONE,
        JobState.FAILED,
        JobState.CANCELLED,
    }


def _move_on(resources, chance, clock, job: Job, certainly: bool = False) -> None:
    """Its answer comes, or its end."""
    now = the(resources.engine, Job, job.id)
    if now.state not in OPEN:
        return
    text = chance.choice(["It **began** late.", LONG, FILED])
    match chance.choice(["answer", "answer", "answer", "fail", "cancel"]):
        case "answer":
            do(
                resources.engine,
                lambda s: outcomes.answer(s, s.get_one(Job, job.id), text, truncated=False, now=clock.now),
            )
        case "fail":
            do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, clock.now))
        case _:
            do(resources.engine, outcomes.cancel, job.id, clock.now)
