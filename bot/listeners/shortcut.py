"""The message shortcut "Analyze this message"."""

from slack_bolt import Ack, App, Respond

from bot import intake, payloads, voice
from tasks import actions
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for the shortcut."""

    @app.message_shortcut(actions.ANALYZE_MESSAGE)
    def analyze_message(ack: Ack, respond: Respond, body: payloads.Payload) -> None:
        request = payloads.shortcut(body, resources.recipes)
        try:
            intake.accept(resources, request)
        except intake.NotSaved as error:
            voice.log_not_saved(error)
            language = voice.language(resources, request.team, request.requester, request.text)
            respond(
                voice.say(language, "intake.not_saved"), response_type="ephemeral", replace_original=False
            )
        ack()
