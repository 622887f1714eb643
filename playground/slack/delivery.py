"""How payloads reach the app: signed HTTP, or an open socket. Retries for events, none for the rest.

Rules: https://docs.slack.dev/authentication/verifying-requests-from-slack (signature),
https://docs.slack.dev/apis/events-api (3 seconds, three retries with `X-Slack-Retry-Num` and `-Reason`).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx

from playground.slack.sockets import SocketLost

if TYPE_CHECKING:
    from playground.slack.faults import Fault
    from playground.slack.stand_in import Slack

log = logging.getLogger(__name__)

# A request signed this long ago is outside the 300 seconds that receivers allow.
STALE_SECONDS = 600
# As many as `GET /control/calls` remembers.
REMEMBERED = 50_000
AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"


@dataclass(frozen=True)
class Answer:
    """What the app said: `status` 0 and an `error` when it said nothing in time."""

    status: int
    body: Any = None
    error: str | None = None
    no_retry: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Delivery:
    """Sends payloads and keeps the tasks that repeat them."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._tasks: set[asyncio.Task[None]] = set()
        # The `event_id`s that the app acknowledged, for a ledger.
        self.acknowledged: deque[str] = deque(maxlen=REMEMBERED)

    def event(self, envelope: dict[str, Any]) -> str:
        """Send an event in the background, with retries. Returns its `event_id`."""
        faults = self._slack.faults
        self._start(self._deliver(envelope))
        if faults.for_event("duplicate"):
            self._start(self._deliver(envelope))
        return str(envelope["event_id"])

    async def command(self, fields: dict[str, Any]) -> Answer:
        """Send a slash command once and wait for its acknowledgement."""
        return await self._send("slash_commands", fields)

    async def interaction(self, payload: dict[str, Any]) -> Answer:
        """Send an interaction once and wait for its acknowledgement."""
        return await self._send("interactive", payload)

    def cancel(self) -> None:
        """Forget every event that is still being sent."""
        for task in tuple(self._tasks):
            task.cancel()

    @property
    def under_way(self) -> int:
        """How many events are still being sent or waiting for a retry."""
        return len(self._tasks)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, envelope: dict[str, Any]) -> None:
        late = self._slack.faults.for_event("late")
        if late:
            await asyncio.sleep(late.seconds if late.seconds is not None else 5)
        forgery = self._slack.faults.for_event("bad_signature", "stale")
        if forgery:
            # A forged request is not Slack's, so nobody repeats it with a true signature.
            await self._post("events_api", envelope, None, forgery)
            return
        answer = await self._send("events_api", envelope)
        for attempt, pause in enumerate(self._slack.config.event_retry_seconds, start=1):
            if answer.ok or answer.no_retry:
                break
            await asyncio.sleep(pause)
            answer = await self._send("events_api", envelope, (attempt, answer.error or "http_error"))
        if answer.ok:
            self.acknowledged.append(str(envelope["event_id"]))
        elif not answer.no_retry:
            log.info("event given up: id=%s reason=%s", envelope["event_id"], answer.error)

    async def _send(self, kind: str, payload: dict[str, Any], retry: tuple[int, str] | None = None) -> Answer:
        sockets = self._slack.sockets
        if not len(sockets):
            forgery = self._slack.faults.for_event("bad_signature", "stale")
            return await self._post(kind, payload, retry, forgery)
        try:
            drop = self._slack.faults.for_event("drop_socket") is not None
            return Answer(200, await sockets.send(kind, payload, retry, drop))
        except SocketLost:
            return Answer(0, error="connection_failed")
        except TimeoutError:
            return Answer(0, error="timeout")

    async def _post(
        self, kind: str, payload: dict[str, Any], retry: tuple[int, str] | None, forgery: Fault | None
    ) -> Answer:
        body, content_type = encode(kind, payload)
        headers = {"User-Agent": AGENT, "Content-Type": content_type}
        headers |= sign(self._slack.config.signing_secret, body, forgery.kind if forgery else None)
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
        client = self._slack.client
        if client is None:
            return Answer(0, error="connection_failed")
        try:
            async with asyncio.timeout(self._slack.config.ack_seconds):
                response = await client.post(self._slack.config.request_url, content=body, headers=headers)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(0, error="http_timeout")
        except (httpx.HTTPError, httpx.InvalidURL):
            return Answer(0, error="connection_failed")
        error = None if response.is_success else "http_error"
        no_retry = response.headers.get("x-slack-no-retry") == "1"
        return Answer(response.status_code, _body(response), error, no_retry)


def encode(kind: str, payload: dict[str, Any]) -> tuple[bytes, str]:
    """The raw body and content type of a payload: JSON for events, forms for commands and interactions."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def sign(secret: str, body: bytes, forgery: str | None = None) -> dict[str, str]:
    """Slack's signature: HMAC-SHA256 of `v0:<timestamp>:<raw body>`, or one that must be refused."""
    stamp = str(int(time.time()) - (STALE_SECONDS if forgery == "stale" else 0))
    key = secret + ("-forged" if forgery == "bad_signature" else "")
    digest = hmac.new(key.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def _body(response: httpx.Response) -> Any:
    if not response.content:
        return {}
    try:
        return response.json()
    except (ValueError, RecursionError):
        return {"text": response.text} if response.is_success else {"body": response.text[:2000]}
