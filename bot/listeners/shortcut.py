"""The message shortcut "Analyze this message"."""

from slack_bolt import Ack, App

from bot import intake, payloads, voice
from bot.payloads import messages
from tasks import actions
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for the shortcut."""

    @app.message_shortcut(actions.ANALYZE_MESSAGE)
    def analyze_message(ack: Ack, body: payloads.Payload) -> None:
        request = messages.shortcut(body, resources.recipes)
        try:
            intake.accept(resources, request)
        except intake.NotSaved as error:
            voice.log_not_saved(error)
            assert request.response_url is not None  # messages.shortcut insists on it.
            language = voice.guess(resources, request.text)
            voice.whisper(request.response_url, voice.say(language, "intake.not_saved"))
        except intake.Refused as refusal:
            assert request.response_url is not None
            said = voice.refused(resources, request.team, request.requester, refusal, request.text)
            voice.whisper(request.response_url, said)
        ack()
