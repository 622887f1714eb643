"""How long until the card is seen, and until Stop has freed the model's slot: requests pour in, the line is full.

Beside them what people would write themselves: a Bolt app that posts its "Received" right from the listener, and a
client that closes its own stream. Ours and theirs are asked in turns.
"""

import concurrent.futures
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bench import events, load, product
from bench.bare_bolt import RECEIVED
from bench.numbers import percentile, spread
from bench.say import Say
from db import session
from db.models import Job, Post
from db.states import JobState, PostKind
from tasks import actions
from tests import services

RATE = 50  # a second
SECONDS, BLOCKS = 20, 4
QUICK_SECONDS, QUICK_BLOCKS = 4, 2
# In a channel one message a second is shown, as Slack allows: these take one every three seconds.
CHANNELS = 150
WAITING, QUICK_WAITING = 200, 40
# Calls that outlast the measurement: only Stop ends one.
SLOW = {"tokens_per_second": 4, "answer": "fixed", "tokens": 4000}
PAUSE = 0.3  # seconds after each Stop
WITHIN = 120  # seconds until a measurement has failed

# (person, channel, ts); answers by the ts of the asking message; and the ts of their cards, which is a time.
Threads = list[tuple[str, str, str]]
Asked = dict[str, load.Answer]
Cards = dict[str, str]


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Seconds, for each database."""
    seconds, blocks = (QUICK_SECONDS, QUICK_BLOCKS) if quick else (SECONDS, BLOCKS)
    waiting = QUICK_WAITING if quick else WAITING
    cases = []
    for database in product.databases():
        say(f"{database}: {waiting} in line, then 2 x {seconds} s at {RATE} requests a second")
        with product.running(database) as running:
            case = _case(seed, running, seconds, blocks, waiting)
        for side in ("threadline", "bolt"):
            card, stop = case[side]["card"], case[side]["stop"]
            say(
                f"  {side:<10} card p95 {card['p95'] * 1000:6.0f} ms  stop, slowest {stop['max'] * 1000:6.0f} ms"
            )
        cases.append({"database": database, **case})
    return {"rate": RATE, "seconds": seconds, "blocks": blocks, "channels": CHANNELS, "cases": cases}


@dataclass
class Seen:
    """What one side did. Times are seconds."""

    cards: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    refused: int = 0

    def add(self, asked: Asked, cards: Cards) -> None:
        """A block of requests and the cards that came of them."""
        for ts, answer in asked.items():
            self.late.append(answer.late)
            if answer.status == 200:
                # From the moment when it was due.
                self.cards.append(float(cards[ts]) - (answer.at - answer.seconds))
            else:
                self.refused += 1

    def told(self) -> dict[str, Any]:
        return {
            "card": _spread(self.cards),
            "stop": _spread(self.stops),
            "refused": self.refused,
            "generator_late_p99": spread(self.late)["p99"],
        }


def _case(
    seed: random.Random, running: product.Product, seconds: int, blocks: int, waiting: int
) -> dict[str, Any]:
    port = services.free_port()
    bare = f"http://127.0.0.1:{port}"
    slack = running.environment["SLACK_API_URL"]
    running.start("bare", "bench.bare_bolt", str(port), slack, address=f"{bare}/openapi.json")
    product.warm_up(running, seed)
    running.act("model", **SLOW)
    rooms = threads(running)
    ours, theirs = Seen(), Seen()
    door = f"{running.web}/slack/events"
    fill_line(seed, running, rooms, waiting)
    for _ in range(blocks):
        with _again_and_again(lambda: ours.stops.append(_stop(running))):
            asked = ask(seed, door, rooms, RATE * seconds // blocks)
        ours.add(asked, our_cards(running, asked))
        all_prepared(running)
        with _again_and_again(lambda: theirs.stops.append(_close(running))):
            asked = ask(seed, f"{bare}/slack/events", rooms, RATE * seconds // blocks)
        theirs.add(asked, _their_cards(running, rooms, asked))
    left = running.count(JobState.WAITING)
    return {"jobs_left": left, "threadline": ours.told(), "bolt": theirs.told()}


def threads(running: product.Product) -> Threads:
    """A thread in each of CHANNELS."""
    made = []
    for number in range(CHANNELS):
        user = product.PEOPLE[number % len(product.PEOPLE)]
        channel = running.channel(f"card-{number}")
        made.append((user, channel, running.say(user, channel, "A thread to ask in.")))
    return made


def ask(seed: random.Random, url: str, rooms: Threads, requests: int, rate: float = RATE) -> Asked:
    """Ask at `rate` a second; the answers by the ts of the asking message."""
    content, stamps, now = [], [], time.time()
    for number in range(requests):
        user, channel, thread = rooms[number % len(rooms)]
        stamps.append(f"{now + number / 1000:.6f}")
        body = events.mention(seed, user, channel, stamps[-1], events.text(seed), thread)
        content.append(load.request(url, body, events.headers(body)))
    return dict(zip(stamps, load.steady(url, content, rate), strict=True))


def fill_line(seed: random.Random, running: product.Product, rooms: Threads, waiting: int) -> None:
    """Let so many requests wait in line, and nothing else be under way."""
    our_cards(running, ask(seed, f"{running.web}/slack/events", rooms, waiting))
    all_prepared(running)


def all_prepared(running: product.Product) -> None:
    """Wait until every text that was sent stands in line."""

    def stand_in_line() -> bool:
        time.sleep(0.2)
        return not running.count(JobState.RECEIVED, JobState.PREPARING)

    services.wait_for(stand_in_line, WITHIN, "all texts are prepared")


def our_cards(running: product.Product, asked: Asked) -> Cards:
    """The cards of what was asked, once all are there."""
    wanted = sa.select(Job.message_ts, Post.ts).join(Post, Post.job_id == Job.id)
    wanted = wanted.where(Post.kind == PostKind.CARD, Post.ts.is_not(None), Job.message_ts >= min(asked))

    def look() -> Cards:
        with session.reading(running.engine) as reading:
            return {str(ts): str(card) for ts, card in reading.execute(wanted)}

    return _all_of(look, asked)


def _their_cards(running: product.Product, rooms: Threads, asked: Asked) -> Cards:
    def look() -> Cards:
        found = {}
        for _, channel, thread in rooms:
            seen = running.play.get("/control/messages", params={"channel": channel, "thread_ts": thread})
            for message in seen.json()["messages"]:
                if message["text"].startswith(RECEIVED):
                    found[message["text"].removeprefix(RECEIVED)] = str(message["ts"])
        return found

    return _all_of(look, asked)


def _all_of(look: Callable[[], Cards], asked: Asked) -> Cards:
    """What is seen once all is seen that was not refused."""
    taken = {ts for ts, answer in asked.items() if answer.status == 200}

    def all_of_them() -> Cards | None:
        time.sleep(0.2)
        found = look()
        return found if taken <= found.keys() else None

    found: Cards = services.wait_for(all_of_them, WITHIN, "the cards")
    return found


def _stop(running: product.Product) -> float:
    """Press Cancel on a request whose call runs; seconds until the model server is rid of the call."""
    with session.reading(running.engine) as reading:
        job = reading.scalars(sa.select(Job).where(Job.state == JobState.RUNNING).limit(1)).one()
    body = events.press(
        job.requester, str(job.channel), actions.CANCEL, str(actions.Attempt(job.id, job.attempt))
    )
    url, gone = f"{running.web}/slack/events", len(_gone(running))
    pressed = time.time()
    [answer] = load.rush(url, [load.request(url, body, events.headers(body, events.FORM))])
    assert answer.status == 200, answer
    return _freed(running, gone) - pressed


def _close(running: product.Product) -> float:
    """The same for a client that closes a stream of its own."""
    asked = {"model": "fixed", "stream": True, "messages": [{"role": "user", "content": "Go on."}]}
    with running.play.stream("POST", "/v1/chat/completions", json=asked) as answer:
        lines = answer.iter_lines()
        next(lines)
        gone = len(_gone(running))
        closed = time.time()
    return _freed(running, gone) - closed


def _freed(running: product.Product, before: int) -> float:
    """When the next call after `before` others was gone; one at a time is stopped, so it is that one."""

    def look() -> float | None:
        time.sleep(0.1)
        gone = _gone(running)
        return max(gone) if len(gone) > before else None

    moment: float = services.wait_for(look, WITHIN, "the slot is free")
    return moment


def _gone(running: product.Product) -> list[float]:
    """When calls ended whose client closed them."""
    calls = running.play.get("/control/model").json()["calls"]
    return [call["ended"] for call in calls if call["state"] == "gone"]


@contextlib.contextmanager
def _again_and_again(act: Callable[[], None]) -> Iterator[None]:
    """Do it meanwhile, with a pause after each time."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(PAUSE):
            act()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            yield
        finally:
            over.set()
        working.result()


def _spread(seconds: list[float]) -> dict[str, float]:
    return {**spread(seconds), "p95": round(percentile(seconds, 95), 6)}
