"""The stand-in as one object: the workspace and everything around it that a call may need."""

import json
import time
from collections import deque
from typing import Any

import httpx

from playground.config import Config
from playground.slack.bus import Bus
from playground.slack.delivery import Delivery
from playground.slack.faults import Faults
from playground.slack.hooks import Hooks
from playground.slack.limits import Limits
from playground.slack.manifest import Manifest
from playground.slack.sockets import Sockets
from playground.slack.state import Workspace
from playground.slack.streams import Streams
from playground.slack.triggers import Triggers
from playground.slack.views import Views

# The ledger keeps this many calls: enough for a long test, little enough to hold in memory.
LEDGER = 50_000


class Slack:
    """Holds the parts together. `reset` brings all of them back to the first state, sockets excepted."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.bus = Bus()
        self.faults = Faults()
        self.limits = Limits()
        self.sockets = Sockets(config)
        self.manifest = Manifest.read(config.manifest)
        self.client: httpx.AsyncClient | None = None
        self.calls: deque[dict[str, Any]] = deque(maxlen=LEDGER)
        self._begin()
        self.delivery = Delivery(self)

    def _begin(self) -> None:
        self.workspace = Workspace()
        self.triggers = Triggers(self.config.trigger_seconds)
        self.hooks = Hooks(self.config)
        self.streams = Streams(self.config.stream_seconds)
        self.views = Views()

    def reset(self) -> None:
        """Everything back to the first state; pages and open sockets stay connected."""
        self.delivery.cancel()
        self.faults.clear()
        self.limits = Limits()
        self.calls.clear()
        self._begin()
        self.bus.publish("reset", {})

    def record(
        self, method: str, args: dict[str, Any], status: int, answer: dict[str, Any], fault: str | None
    ) -> None:
        """Write a call into the ledger (`GET /control/calls`), without its token."""
        kept = {name: value for name, value in args.items() if name != "token"}
        entry: dict[str, Any] = {"at": time.time(), "method": method, "args": kept, "status": status}
        entry["ok"] = bool(answer.get("ok"))
        entry["error"] = answer.get("error")
        entry["fault"] = fault
        if "ts" in answer:
            entry["ts"] = answer["ts"]
        self.calls.append(entry)


def dump(value: Any) -> bytes:
    """JSON as bytes, ASCII only, so that no text whatever can fail to be sent."""
    return json.dumps(value, separators=(",", ":")).encode()
