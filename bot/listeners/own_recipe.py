"""`/analyze admin recipe new` and `recipe edit <name>`: a form, and the recipe that comes back in it."""

from typing import Any

import structlog
from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError

from bot import payloads, voice
from bot.aside import Aside
from bot.owners import own, who
from bot.owners.words import Order
from bot.payloads import commands, forms
from bot.views import own_recipe as view
from db import session
from tasks import slack
from tasks.resources import Resources

log = structlog.get_logger()


def register(app: App, resources: Resources) -> None:
    """Listen for the form; the owners' order opens it."""
    aside = Aside(resources)

    @app.view(view.CALLBACK)
    def submitted(ack: Ack, body: payloads.Payload) -> None:
        ack(**take(resources, forms.own_recipe(body), aside))


def show(resources: Resources, command: commands.Command, order: Order) -> str | None:
    """Open the form for an owner's order; else what to tell them. The trigger lives for 3 seconds."""
    language = voice.language_of_newcomers_too(resources, command.team, command.user)
    word, made = order.given.get("own"), None
    if word is not None:
        try:
            with session.reading(resources.engine) as reading:
                found = own.named(reading, command.team, word)
        except SQLAlchemyError:
            return voice.say(language, "admin.not_saved")
        if found is None:
            return voice.say(language, "own.gone", recipe=word)
        made = found[1]
    origin = view.Origin(made.name if made else None, command.response_url)
    try:
        voice.quick(resources).views_open(trigger_id=command.trigger, view=view.form(language, origin, made))
    except slack.ERRORS as error:
        log.warning("modal.unopened", code=slack.problem(error).code)
        return voice.say(language, "own.unopened")
    return None


def take(resources: Resources, sent: forms.OwnRecipe, aside: Aside) -> dict[str, Any]:
    """Keep the recipe; else the errors beside the form's fields, in the acknowledgement's own form."""
    language = voice.language(resources, sent.team, sent.user)

    def errors(fields: dict[str, str]) -> dict[str, Any]:
        shown = {view.action(name): words for name, words in fields.items()}
        return {"response_action": "errors", "errors": shown}

    try:
        with session.reading(resources.engine) as reading:
            if not who.is_admin(resources, reading, sent.team, sent.user):
                return errors({view.INSTRUCTIONS: voice.say(language, "admin.not_yours")})
            before = own.named(reading, sent.team, sent.origin.name) if sent.origin.name else None
        if sent.origin.name is None:
            made = own.drafted(sent.said)
            own.make(resources, made, None if sent.everywhere else sent.team, sent.user)
        else:
            made = own.drafted(sent.said | {view.NAME: sent.origin.name})
            own.change(resources, made, before[0] if before else sent.team, sent.user)
    except own.Wrong as wrong:
        return errors(
            {name: voice.say(language, key, **values) for name, (key, values) in wrong.fields.items()}
        )
    except SQLAlchemyError:
        return errors({view.INSTRUCTIONS: voice.say(language, "admin.not_saved")})
    done = "own.changed" if sent.origin.name else "own.made"
    words = voice.say(language, done, recipe=made.name, command=resources.settings.slack_command)
    aside.do(lambda: _tell(sent.origin.response_url, words))
    return {}


def _tell(response_url: str | None, words: str) -> None:
    voice.whisper(response_url, words)
