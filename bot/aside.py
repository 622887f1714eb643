"""Speaking to people whose message was acknowledged and not taken: events have no answer of their own."""

import threading

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
        if not self._free.acquire(blocking=False):
            log.warning("aside.dropped")
            return
        threading.Thread(target=self._refuse, args=(request, refusal), name="aside", daemon=True).start()

    def _refuse(self, request: Request, refusal: Refused) -> None:
        try:
            self._say(
                request,
                voice.refused(self._resources, request.team, request.requester, refusal, request.text),
            )
        except slack.ERRORS as error:
            log.warning("aside.unheard", code=slack.problem(error).code)
        except Exception:  # A door: the thread's.
            log.exception("aside.broke")
        finally:
            self._free.release()

    def _say(self, request: Request, text: str) -> None:
        assert request.channel is not None  # Every event comes from one.
        if request.origin is Origin.DIRECT:
            self._resources.slack.chat_postMessage(
                channel=request.channel, thread_ts=request.thread_ts, text=text
            )
            return
        # Slack shows nobody an ephemeral message in a thread that has no replies yet.
        is_reply = request.thread_ts != request.message_ts
        self._resources.slack.chat_postEphemeral(
            channel=request.channel,
            user=request.requester,
            thread_ts=request.thread_ts if is_reply else None,
            text=text,
        )
