"""Trigger ids: each opens one view within 3 seconds. https://docs.slack.dev/interactivity/handling-user-interaction"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from playground.slack.errors import SlackError

KEPT = 10_000


@dataclass
class _Trigger:
    user: str
    made: float
    used: bool = False


class Triggers:
    """The trigger ids given out lately, and to whom."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._triggers: dict[str, _Trigger] = {}

    def make(self, user: str) -> str:
        """A new trigger id for something that this person just did."""
        number = secrets.randbelow(10**12)
        trigger = f"{number}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[trigger] = _Trigger(user, self._clock())
        while len(self._triggers) > KEPT:
            del self._triggers[next(iter(self._triggers))]
        return trigger

    def use(self, trigger_id: str) -> str:
        """Exchange a trigger id for the person it belongs to, once, in time."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if self._clock() - trigger.made > self._seconds:
            raise SlackError("expired_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        trigger.used = True
        return trigger.user
