"""Stopping by word, "stop" or "그만" in the thread of a request, and by Slack's own Stop button."""

import structlog
from slack_bolt import App

from bot import payloads, voice
from bot.aside import Aside
from bot.listeners import cancel
from bot.payloads import messages
from tasks.resources import Resources

log = structlog.get_logger()


def register(app: App, resources: Resources) -> None:
    """Listen for the words; the cards then say that the requests are cancelled."""
    aside = Aside(resources)

    @app.event("app_mention", matchers=[messages.says_stop])
    def mentioned(body: payloads.Payload) -> None:
        _stop(resources, aside, body, spoken_to=True)

    @app.event("message", matchers=[messages.says_stop])
    def written(body: payloads.Payload) -> None:
        # In a channel people say "stop" to each other too.
        _stop(resources, aside, body, spoken_to=messages.is_direct(body))

    @app.event("agent_session_stopped")
    def pressed(body: payloads.Payload) -> None:
        _stop(resources, aside, body, spoken_to=False)


def _stop(resources: Resources, aside: Aside, body: payloads.Payload, *, spoken_to: bool) -> None:
    """Stop what the person has open in the thread; without a thread, their latest request in the channel."""
    stop = messages.stop(body)
    if stop.thread_ts is None and not spoken_to:
        return
    stopped = cancel.stop_here(resources, stop)
    if not stopped and spoken_to:

        def words() -> str:
            return voice.say(voice.language(resources, stop.team, stop.user), "intake.nothing_open_here")

        aside.tell(stop.channel, stop.user, stop.thread_ts, words)
