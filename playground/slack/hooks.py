"""response_urls: five answers within 30 minutes to a command or an interaction, without a token.

Rules: https://docs.slack.dev/interactivity/handling-user-interaction (response_type, replace_original,
delete_original).
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from playground.config import Config
from playground.slack.errors import SlackError
from playground.slack.state import TEAM

MOST_USES = 5
KEPT = 10_000


@dataclass
class Hook:
    """Where an answer goes: the person, the channel and, for a button, the message it was on."""

    user: str
    channel: str
    message_ts: str | None
    thread_ts: str | None
    made: float
    uses: int = 0


class Hooks:
    """The response_urls given out lately."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._hooks: dict[str, Hook] = {}

    def make(
        self, kind: str, user: str, channel: str, message_ts: str | None = None, thread_ts: str | None = None
    ) -> str:
        """A new response_url; `kind` is `commands` or `actions`."""
        key = f"{kind}/{TEAM}/{secrets.token_hex(6)}/{secrets.token_urlsafe(18)}"
        self._hooks[key] = Hook(user, channel, message_ts, thread_ts, self._clock())
        while len(self._hooks) > KEPT:
            del self._hooks[next(iter(self._hooks))]
        return f"{self._config.url}/hooks/{key}"

    def use(self, key: str) -> Hook:
        """Count one use. Raises SlackError when the address is unknown, too old or used up."""
        hook = self._hooks.get(key)
        if hook is None:
            raise SlackError("invalid_url")
        if self._clock() - hook.made > self._config.hook_seconds:
            raise SlackError("expired_url")
        if hook.uses >= MOST_USES:
            raise SlackError("used_url")
        hook.uses += 1
        return hook
