"""Signed `app_mention` events, as Slack sends them."""

import hashlib
import hmac
import json
import random
import time
from typing import Any
from urllib.parse import urlencode

from playground.slack.state import APP, BOT_USER, TEAM

SIGNING_SECRET = "bench-signing-secret"
FORM = "application/x-www-form-urlencoded"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
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
    "at",
    "the",
    "server",
]


def text(seed: random.Random, words: int = 60) -> str:
    """What somebody might ask about: about 60 words."""
    return f"<@{BOT_USER}> summarize " + " ".join(seed.choice(_WORDS) for _ in range(words)) + "."


def mention(
    seed: random.Random, user: str, channel: str, ts: str, words: str, thread_ts: str | None
) -> bytes:
    """The body of one event request; `thread_ts` for a mention in a thread."""
    event: dict[str, Any] = {
        "type": "app_mention",
        "user": user,
        "ts": ts,
        "client_msg_id": f"{seed.getrandbits(128):032x}",
        "text": words,
        "team": TEAM,
        "channel": channel,
        "event_ts": ts,
    }
    if thread_ts is not None:
        event["thread_ts"] = thread_ts
    envelope = {
        "token": "bench",
        "team_id": TEAM,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": "Ev" + "".join(seed.choice(_LETTERS) for _ in range(10)),
        "event_time": int(float(ts)),
        "authorizations": [{"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        "is_ext_shared_channel": False,
    }
    return json.dumps(envelope).encode()


def press(user: str, channel: str, action: str, value: str) -> bytes:
    """The body of a press on a message's button."""
    payload = {
        "type": "block_actions",
        "token": "bench",
        "api_app_id": APP,
        "team": {"id": TEAM, "domain": "playground"},
        "user": {"id": user, "team_id": TEAM},
        "channel": {"id": channel, "name": "bench"},
        "trigger_id": "1.2.bench",
        "response_url": "http://127.0.0.1:9/nobody",
        "actions": [{"type": "button", "block_id": "card", "action_id": action, "value": value}],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def headers(body: bytes, kind: str = "application/json") -> dict[str, str]:
    """Slack's headers: good for five minutes from now."""
    stamp = str(int(time.time()))
    signed = hmac.new(SIGNING_SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    return {
        "content-type": kind,
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={signed.hexdigest()}",
    }
