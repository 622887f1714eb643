"""Deleting the message that asked: what it asked for is cancelled."""

from slack_bolt import App

from bot import payloads
from bot.listeners import cancel
from bot.payloads import messages
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for deletions; most are of messages that asked for nothing."""

    @app.event({"type": "message", "subtype": "message_deleted"})
    def deleted(body: payloads.Payload) -> None:
        cancel.stop_deleted(resources, messages.deleted(body))
