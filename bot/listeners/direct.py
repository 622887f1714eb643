"""A direct message to the bot: a request, or one of the command's own words."""

from slack_bolt import App

from bot import intake, payloads
from bot.aside import Aside
from bot.listeners import command
from bot.payloads import messages
from db.states import Origin
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for direct messages; one that cannot be saved is not acknowledged, so that Slack sends it again."""
    aside = Aside(resources)

    @app.event("message", matchers=[messages.is_direct])
    def written(body: payloads.Payload) -> None:
        request = messages.message(body, resources.recipes_of(messages.team(body)), Origin.DIRECT)
        if request is None:
            return
        text = messages.said(body)
        if command.is_word(text) and not request.files:
            aside.do(lambda: _answer(resources, request, text))
            return
        try:
            intake.accept(resources, request)
        except intake.Refused as refusal:
            aside.refuse(request, refusal)


def _answer(resources: Resources, request: intake.Request, text: str) -> None:
    """Say what the command says to that word, where it was written."""
    assert request.channel is not None  # Every event comes from one.
    told = command.word(resources, request.team, request.requester, text)
    thread = request.thread_ts if request.thread_ts != request.message_ts else None
    if told is not None:
        resources.slack.chat_postMessage(channel=request.channel, thread_ts=thread, **told)
