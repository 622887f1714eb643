"""What people and services ask meanwhile, and whether they were told that it is in."""

import concurrent.futures
import contextlib
import random
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.acceptance.stack import ADA, LEO, MINJI, kind_of
from tests.chaos.plan import Size
from tests.chaos.world import API_TOKEN, World

PEOPLE = (ADA, LEO, MINJI, "U0SOYEON")
CHANNELS = 10
KINDS = {"mention": 45, "reply": 15, "direct": 15, "command": 11, "api": 7, "api_slack": 7}
# Words of a request: most are short, some take longer than a lease to answer, and some take several calls.
LENGTHS = {60: 85, 250: 10, 800: 3, 3200: 2}
MARK = re.compile(r"mark\d{5}x")
_WORDS = [
    "the",
    "queue",
    "keeps",
    "its",
    "order",
    "while",
    "every",
    "request",
    "waits",
    "for",
    "a",
    "free",
    "slot",
    "and",
    "nobody",
    "is",
    "forgotten",
]

# Of every so many requests, somebody presses Cancel, or Retry where there is a failure, in an earlier thread.
PRESS_EVERY = 8


@dataclass(eq=False)
class Ask:
    """One request: the ledger's entry."""

    number: int
    at: float
    kind: str
    user: str
    words: int
    channel: str = ""
    # The thread that the answer belongs in; None: under its own card.
    thread: str | None = None
    event_id: str | None = None
    # Whether a 2xx said that it is in; of events Slack's stand-in knows.
    accepted: bool = False

    @property
    def mark(self) -> str:
        return f"mark{self.number:05d}x"

    @property
    def text(self) -> str:
        """Sentences of ten words, the mark in each: the model echoes it, and no part is without."""
        lines = [" ".join(_WORDS[(n + i) % len(_WORDS)] for i in range(9)) for n in range(self.words // 10)]
        return " ".join(f"{self.mark} {line}." for line in lines)


def make(seed: random.Random, size: Size) -> list[Ask]:
    """The requests of a run, in the order of their moments."""
    moments = sorted(round(seed.uniform(0, size.seconds), 2) for _ in range(size.requests))
    return [
        Ask(
            number,
            at,
            seed.choices(list(KINDS), list(KINDS.values()))[0],
            seed.choice(PEOPLE),
            seed.choices(list(LENGTHS), list(LENGTHS.values()))[0],
        )
        for number, at in enumerate(moments)
    ]


class People:
    """Sends the requests when their moments come."""

    def __init__(self, world: World, seed: random.Random, asks: list[Ask]) -> None:
        self._world, self._seed, self.asks = world, seed, asks
        self._play = httpx.Client(base_url=world.play.url, timeout=30, trust_env=False)
        self._api = httpx.Client(base_url=world.web, timeout=5, trust_env=False)
        self._channels = [
            str(self._act("channel", name=f"room-{number}")["channel"]["id"]) for number in range(CHANNELS)
        ]
        self._roots: list[Ask] = []
        self._lock = threading.Lock()
        self.presses = 0

    def run(self, begun: float) -> None:
        """Send all; returns when each was answered or given up."""
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            sent = []
            for ask in self.asks:
                time.sleep(max(0.0, begun + ask.at - time.monotonic()))
                sent.append(pool.submit(self._send, ask, self._seed.random()))
                if ask.number % PRESS_EVERY == PRESS_EVERY - 1:
                    sent.append(pool.submit(self._press, self._seed.random()))
            for one in sent:
                one.result()

    def close(self) -> None:
        self._play.close()
        self._api.close()

    def acknowledged(self) -> list[Ask]:
        """The requests that were said to be in."""
        events = set(self._world.play.slack.delivery.acknowledged)
        return [ask for ask in self.asks if ask.accepted or ask.event_id in events]

    def _send(self, ask: Ask, chance: float) -> None:
        ask.channel = self._channels[int(chance * CHANNELS)]
        match ask.kind:
            case "command":
                said = self._act(
                    "command", user=ask.user, channel=ask.channel, command="/analyze", text=ask.text
                )
                # A command that could not be saved is answered in words.
                ask.accepted = said["status"] == 200 and not said["ack"]
            case "api" | "api_slack":
                ask.accepted = self._post(ask)
            case _:
                self._say(ask, chance)

    def _say(self, ask: Ask, chance: float) -> None:
        text = f"<@U0BOT> {ask.text}"
        if ask.kind == "direct":
            ask.channel, text = f"D0{ask.user.removeprefix('U0')}", ask.text
        with self._lock:
            roots = list(self._roots) if ask.kind == "reply" else []
        more = {}
        if roots:
            root = roots[int(chance * len(roots))]
            ask.channel, more = root.channel, {"thread_ts": root.thread}
        said = self._act("say", user=ask.user, channel=ask.channel, text=text, **more)
        ask.thread = more.get("thread_ts") or said["ts"]
        ask.event_id = said["event_ids"][0]
        if ask.kind == "mention":
            with self._lock:
                self._roots.append(ask)

    def _post(self, ask: Ask) -> bool:
        """A service repeats what was not answered, with the same key."""
        body = {"text": ask.text} | ({"slack_channel": ask.channel} if ask.kind == "api_slack" else {})
        headers = {"Authorization": f"Bearer {API_TOKEN}", "Idempotency-Key": ask.mark}
        for _ in range(4):
            with contextlib.suppress(httpx.HTTPError):
                if self._api.post("/api/analyses", json=body, headers=headers).status_code == 202:
                    return True
            time.sleep(1)
        return False

    def _press(self, chance: float) -> None:
        """Retry, twice, under a failure; else Cancel."""
        with self._lock:
            if not self._roots:
                return
            ask = self._roots[int(chance * len(self._roots))]
        seen = self._play.get(
            "/control/messages", params={"channel": ask.channel, "thread_ts": ask.thread}
        ).json()["messages"]
        failures = [message for message in seen if kind_of(message) == "failure"]
        cards = [message for message in seen if kind_of(message) == "card"]
        for action, message in [("retry", one) for one in failures * 2] or [("cancel", one) for one in cards]:
            press = {"user": ask.user, "channel": ask.channel, "ts": message["ts"], "action_id": action}
            # 4xx: the button is gone, or it is somebody else's.
            self.presses += self._play.post("/control/press", json=press).status_code == 200

    def _act(self, call: str, **body: Any) -> dict[str, Any]:
        response = self._play.post(f"/control/{call}", json=body)
        response.raise_for_status()
        return dict(response.json())
