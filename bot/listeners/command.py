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
    asked = recipes.parse_command(command.text)
    if asked.text and asked.unknown is None and not _asks_for_help(command):
        try:
            intake.accept(resources, command.request(asked))
        except intake.NotSaved as error:
            # Slack does not send a command again, so the person has to. The database is not asked a second
            # time, for their language: Slack waits 3 seconds.
            voice.log_not_saved(error)
            return {"text": voice.say(voice.guess(resources, command.text), "intake.not_saved")}
        return {}
    language = voice.language(resources, command.team, command.user, command.text)
    name = resources.settings.slack_command
    if _asks_for_help(command):
        return help_view.message(language, name, recipes)
    if asked.unknown is not None:
        alternatives = recipes.alternatives(asked.unknown)
        return {"text": voice.say(language, "error.unknown_recipe", word=asked.unknown, **alternatives)}
    return {"text": voice.say(language, "intake.empty", command=name)}


def _asks_for_help(command: payloads.Command) -> bool:
    return command.text.lower() in {"help", "도움말"}
