"""A plain reply in a thread where we answered its writer: a mention without the name, where the owners allow it."""

from slack_bolt import App

from bot import intake, payloads
from bot.aside import Aside
from bot.payloads import messages
from db import jobs, session
from tasks import rules
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for replies; most are people speaking with each other, and ask us nothing."""
    aside = Aside(resources)

    @app.event("message")
    def replied(body: payloads.Payload) -> None:
        request = messages.reply(body, resources.recipes_of(messages.team(body)))
        if request is not None and _continues(resources, request):
            try:
                intake.accept(resources, request)
            except intake.Refused as refusal:
                aside.refuse(request, refusal)


def _continues(resources: Resources, request: intake.Request) -> bool:
    """Whether the owners allow it there, and we answered this person in the thread. Raises NotSaved."""
    assert request.channel is not None
    assert request.thread_ts is not None
    # What cannot be looked up is not acknowledged: Slack sends the event again.
    with intake.saving(), session.reading(resources.engine) as reading:
        if not rules.read(reading, request.team, request.requester, request.channel).takes_replies:
            return False
        return jobs.is_answered_in(
            reading, request.team, request.requester, request.channel, request.thread_ts
        )
