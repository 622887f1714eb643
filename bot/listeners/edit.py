"""Editing the message that asked, while its request still waits: the request is for what it says now."""

import structlog
from slack_bolt import App

from bot import intake, payloads
from bot.payloads import messages
from tasks.resources import Resources

log = structlog.get_logger()


def register(app: App, resources: Resources) -> None:
    """Listen for edits; one that cannot be saved is not acknowledged, so that Slack sends it again."""

    @app.event({"type": "message", "subtype": "message_changed"})
    def edited(body: payloads.Payload) -> None:
        request = messages.edited(body, resources.recipes_of(messages.team(body)))
        if request is not None:
            intake.revise(resources, request)
