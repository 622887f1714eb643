"""A direct message to the bot."""

from slack_bolt import App

from bot import intake, payloads
from bot.aside import Aside
from bot.payloads import messages
from db.states import Origin
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for direct messages; one that cannot be saved is not acknowledged, so that Slack sends it again."""
    aside = Aside(resources)

    @app.event("message", matchers=[messages.is_direct])
    def written(body: payloads.Payload) -> None:
        request = messages.message(body, resources.recipes, Origin.DIRECT)
        if request is not None:
            try:
                intake.accept(resources, request)
            except intake.Refused as refusal:
                aside.refuse(request, refusal)
