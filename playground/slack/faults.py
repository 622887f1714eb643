"""Misbehaviour on request: which call or event is to go wrong, how, and how often."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playground.slack.errors import Refused

CALL_KINDS = [
    "rate_limited",
    "server_error",
    "unavailable",
    "time_out_before",
    "time_out_after",
    "drop_before",
    "drop_after",
    "error",
    "slow",
]
EVENT_KINDS = ("duplicate", "late", "drop_socket", "bad_signature", "stale", "two_events")


@dataclass
class Fault:
    """One order to misbehave. `times` None means until it is taken back."""

    kind: str
    method: str = "*"
    times: int | None = 1
    probability: float = 1.0
    retry_after: int = 1
    seconds: float | None = None
    channel: str | None = None
    error: str = "internal_error"


class Faults:
    """The orders that still stand, for Web API calls and for events."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._calls: list[Fault] = []
        self._events: list[Fault] = []

    def order_call(self, body: dict[str, Any]) -> Fault:
        """Take an order for a Web API method, `*`, or one of the doors `hooks`, `files.download`, `files.upload`."""
        fault = _fault(body, CALL_KINDS)
        self._calls.append(fault)
        return fault

    def order_event(self, body: dict[str, Any]) -> Fault:
        """Take an order for what Slack sends to the app."""
        fault = _fault(body, EVENT_KINDS)
        self._events.append(fault)
        return fault

    def clear(self) -> None:
        """Take all orders back."""
        self._calls.clear()
        self._events.clear()

    def for_call(self, method: str, channel: str) -> Fault | None:
        """The fault this call meets, counted as used."""
        if not self._calls:
            return None
        return self._use(
            self._calls,
            lambda fault: fault.method in ("*", method) and fault.channel in (None, channel),
        )

    def for_event(self, *kinds: str) -> Fault | None:
        """The first fault of these kinds that this event meets, counted as used."""
        if not self._events:
            return None
        return self._use(self._events, lambda fault: fault.kind in kinds)

    def _use(self, orders: list[Fault], fits: Callable[[Fault], bool]) -> Fault | None:
        for fault in orders:
            if not fits(fault) or self._chance() >= fault.probability:
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    orders.remove(fault)
            return fault
        return None


def _fault(body: dict[str, Any], kinds: list[str] | tuple[str, ...]) -> Fault:
    kind = body.get("kind")
    if kind not in kinds:
        raise Refused("unknown_kind", f"`kind` must be one of {', '.join(kinds)}.")
    names = ("method", "probability", "retry_after", "seconds", "channel", "error")
    fault = Fault(kind=kind, **{name: body[name] for name in names if body.get(name) is not None})
    fault.times = body.get("times", 1)
    numbers = (fault.probability, fault.retry_after, fault.seconds or 0, fault.times or 0)
    if not all(isinstance(number, int | float) and number >= 0 for number in numbers):
        raise Refused(
            "bad_number", "`times`, `probability`, `retry_after` and `seconds` must be numbers of 0 or more."
        )
    if not all(isinstance(word, str) for word in (fault.method, fault.error, fault.channel or "")):
        raise Refused("bad_text", "`method`, `error` and `channel` must be text.")
    return fault
