"""How long Slack waits for the acknowledgement, beside a Bolt app that only acknowledges.

Two states: with the workers stopped, and with all of them at work on what comes in. The two servers are asked
in turns, so that whatever else the machine does meets both.
"""

import random
import time
from typing import Any

import psutil

from bench import events, load, product
from bench.numbers import curve, spread
from bench.say import Say
from db.states import JobState
from tests import services

RATE = 100  # a second
SECONDS, BLOCKS = 30, 6
QUICK_SECONDS, QUICK_BLOCKS = 6, 2
CHANNELS = 100


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Latencies in seconds for each database and state."""
    seconds, blocks = (QUICK_SECONDS, QUICK_BLOCKS) if quick else (SECONDS, BLOCKS)
    cases = []
    for database in product.databases():
        for working in (False, True):
            state = "working" if working else "stopped"
            say(f"{database}, workers {state}: 2 x {seconds} s at {RATE} requests a second")
            case = _case(seed, say, database, working, seconds, blocks)
            cases.append({"database": database, "workers": state, **case})
    return {"rate": RATE, "seconds": seconds, "blocks": blocks, "cases": cases}


def _case(
    seed: random.Random, say: Say, database: str, working: bool, seconds: int, blocks: int
) -> dict[str, Any]:
    with product.running(database, workers=working) as running:
        port = services.free_port()
        running.start("bare", "bench.bare_bolt", str(port), address=f"http://127.0.0.1:{port}/openapi.json")
        urls = {"threadline": f"{running.web}/slack/events", "bolt": f"http://127.0.0.1:{port}/slack/events"}
        if working:
            product.warm_up(running, seed)
        threads = _threads(running, seed)
        answers: dict[str, list[load.Answer]] = {name: [] for name in urls}
        busy = []
        for url in urls.values():
            _block(seed, url, threads, RATE)  # a second that does not count
        for _ in range(blocks):
            for name, url in urls.items():
                psutil.cpu_percent()
                answers[name] += _block(seed, url, threads, RATE * seconds // blocks)
                busy.append(psutil.cpu_percent())
        done = running.count(JobState.DONE, JobState.ANSWERED)
        waiting = running.count(JobState.RECEIVED, JobState.PREPARING, JobState.WAITING, JobState.RUNNING)
        sides = {name: _side(given) for name, given in answers.items()}
        for name, side in sides.items():
            say(f"  {name:<10} p50 {side['p50'] * 1000:6.1f} ms  p99 {side['p99'] * 1000:6.1f} ms")
        return {"jobs_done": done, "jobs_left": waiting, "cpu_percent": round(sum(busy) / len(busy)), **sides}


def _threads(running: product.Product, seed: random.Random) -> list[tuple[str, str, str]]:
    """Threads to ask in: (person, channel, ts)."""
    people = product.PEOPLE
    made = []
    for number in range(CHANNELS):
        user, channel = people[number % len(people)], running.channel(f"ack-{number}")
        made.append((user, channel, running.say(user, channel, "A thread to ask in.")))
    return made


def _block(
    seed: random.Random, url: str, threads: list[tuple[str, str, str]], requests: int
) -> list[load.Answer]:
    content, now = [], time.time()
    for number in range(requests):
        user, channel, thread = threads[number % len(threads)]
        ts = f"{now + number / 1000:.6f}"
        body = events.mention(seed, user, channel, ts, events.text(seed), thread)
        content.append(load.request(url, body, events.headers(body)))
    return load.steady(url, content, RATE)


def _side(answers: list[load.Answer]) -> dict[str, Any]:
    good = [answer.seconds for answer in answers if answer.status == 200]
    late = spread([answer.late for answer in answers])
    refused = len(answers) - len(good)
    return {**spread(good), "refused": refused, "generator_late_p99": late["p99"], "curve": curve(good)}
