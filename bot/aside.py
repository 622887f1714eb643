"""Speaking to people whose message was acknowledged and not taken: events have no answer of their own."""

import threading
from collections.abc import Callable

import structlog

from bot import voice
from bot.intake import Refused, Request
from db.states import Origin
from tasks import slack
from tasks.resources import Resources

log = structlog.get_logger()

# People spoken to at the same time. With Slack slow, more are not told: they have been told a moment ago, or
# Slack would not take it now.
MOST_AT_ONCE = 20


class Aside:
    """Speaks from threads of its own, so that Slack's Web API never delays an acknowledgement."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)

    def refuse(self, request: Request, refusal: Refused) -> None:
        """Tell somebody why their mention or direct message was not taken; returns at once."""
        assert request.channel is not None  # Every event comes from one.
        # Slack shows nobody an ephemeral message in a thread that has no replies yet.
        is_reply = request.thread_ts != request.message_ts or request.origin is Origin.DIRECT
        self.tell(
            request.channel,
            request.requester,
            request.thread_ts if is_reply else None,
            lambda: voice.refused(self._resources, request.team, request.requester, refusal, request.text),
        )

    def tell(self, channel: str, user: str, thread_ts: str | None, words: Callable[[], str]) -> None:
        """Say something to one person, where they spoke; returns at once."""

        def speak() -> None:
            # A direct message is for nobody else's eyes anyway.
            if channel.startswith("D"):
                self._resources.slack.chat_postMessage(channel=channel, thread_ts=thread_ts, text=words())
            else:
                self._resources.slack.chat_postEphemeral(
                    channel=channel, user=user, thread_ts=thread_ts, text=words()
                )

        self.do(speak)

    def do(self, what: Callable[[], None]) -> None:
        """Do something that asks Slack; returns at once."""
        if not self._free.acquire(blocking=False):
            log.warning("aside.dropped")
            return
        threading.Thread(target=self._do, args=(what,), name="aside", daemon=True).start()

    def _do(self, what: Callable[[], None]) -> None:
        try:
            what()
        except slack.ERRORS as error:
            log.warning("aside.unheard", code=slack.problem(error).code)
        except Exception:  # A door: the thread's.
            log.exception("aside.broke")
        finally:
            self._free.release()
