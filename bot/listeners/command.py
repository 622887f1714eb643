"""`/analyze <recipe> <text>`, and `/analyze help`."""

from typing import Any

from slack_bolt import Ack, App

from bot import intake, payloads, voice
from bot.views import help as help_view
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for the slash command."""

    @app.command(resources.settings.slack_command)
    def analyze(ack: Ack, body: payloads.Payload) -> None:
        command = payloads.command(body)
        ack(**answer(resources, command))


def answer(resources: Resources, command: payloads.Command) -> dict[str, Any]:
    """What the person is shown at once: nothing when the card will speak, else a word for their eyes only."""
    recipes = resources.recipes
    language = voice.language(resources, command.team, command.user, command.text)
    name = resources.settings.slack_command
    if command.text.lower() in {"help", "도움말"}:
        return help_view.message(language, name, recipes)
    asked = recipes.parse_command(command.text)
    if asked.unknown is not None:
        return {
            "text": voice.say(
                language, "error.unknown_recipe", word=asked.unknown, **recipes.alternatives(asked.unknown)
            )
        }
    if not asked.text:
        return {"text": voice.say(language, "intake.empty", command=name)}
    try:
        intake.accept(resources, command.request(asked))
    except intake.NotSaved as error:
        # Slack does not send a command again, so the person has to.
        voice.log_not_saved(error)
        return {"text": voice.say(language, "intake.not_saved")}
    return {}
