"""`@Threadline <text>` in a channel or in a thread."""

from slack_bolt import App

from bot import intake, payloads
from bot.aside import Aside
from bot.payloads import messages
from db.states import Origin
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for mentions; one that cannot be saved is not acknowledged, so that Slack sends it again."""
    aside = Aside(resources)

    @app.event("app_mention")
    def mentioned(body: payloads.Payload) -> None:
        request = messages.message(body, resources.recipes_of(messages.team(body)), Origin.MENTION)
        if request is not None:
            try:
                intake.accept(resources, request)
            except intake.Refused as refusal:
                aside.refuse(request, refusal)
