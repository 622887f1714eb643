"""How the bot speaks when it answers at once: in the person's language, from what is known already."""

from collections.abc import Sequence
from typing import Any

import structlog
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient
from sqlalchemy.exc import SQLAlchemyError

from bot.intake import Refused
from db import people, session
from tasks import people as acquaintances
from tasks import slack
from tasks.catalogue import language_of, say
from tasks.resources import Resources
from tasks.text import clean

__all__ = [
    "guess",
    "language",
    "language_of_newcomers_too",
    "log_not_saved",
    "quick",
    "refused",
    "say",
    "whisper",
]

log = structlog.get_logger()

# Seconds. What is whispered delays the acknowledgement, which Slack awaits for 3.
_WHISPER_TIMEOUT = 1
_MEETING_TIMEOUT = 1
_QUICK_TIMEOUT = 2


def language(resources: Resources, team: str, user: str, text: str = "") -> str:
    """The person's language: as Slack told the last time, else that of what they wrote, else the default.

    Slack is not asked here: an answer within 3 seconds must not wait for it.
    """
    try:
        with session.reading(resources.engine) as reading:
            locale = people.locale(reading, team, user)
    except SQLAlchemyError:
        locale = None
    return language_of(locale, guess(resources, text))


def language_of_newcomers_too(resources: Resources, team: str, user: str, text: str = "") -> str:
    """The person's language, asked of Slack when nothing is known of them: for what is their first look at us.

    That takes a second at most, and then it is that of what they wrote, or the default.
    """
    try:
        with session.reading(resources.engine) as reading:
            is_known = bool(people.locale(reading, team, user))
        if not is_known:
            acquaintances.look_up(resources, team, [user], _client(resources, _MEETING_TIMEOUT))
    except SQLAlchemyError as error:
        log.warning("person.unread", error=type(error).__name__)
    return language(resources, team, user, text)


def guess(resources: Resources, text: str) -> str:
    """The language of what somebody wrote, else the default: for when the database does not answer."""
    return "ko" if clean.language(text) == "ko" else resources.settings.language


def refused(resources: Resources, team: str, user: str, refusal: Refused, text: str = "") -> str:
    """What somebody in Slack reads whose request was not taken."""
    return refusal.words(language(resources, team, user, text), f"{resources.settings.slack_command} cancel")


def quick(resources: Resources) -> WebClient:
    """Slack's Web API for what cannot wait: a form opens within 3 seconds of its trigger, or never."""
    return _client(resources, _QUICK_TIMEOUT)


def _client(resources: Resources, timeout: int) -> WebClient:
    return WebClient(
        token=resources.settings.slack_bot_token.get_secret_value(),
        base_url=resources.settings.slack_api_url,
        timeout=timeout,
        retry_handlers=[],
    )


def whisper(response_url: str | None, text: str, blocks: Sequence[dict[str, Any]] = ()) -> bool:
    """Answer a press or a shortcut for that person's eyes only. False: Slack did not take it, and the log says so.

    None: pressed in the App Home, which shows how things stand.
    """
    if response_url is None:
        return False
    note = WebhookClient(response_url, timeout=_WHISPER_TIMEOUT, retry_handlers=[])
    try:
        status = note.send(
            text=text, blocks=blocks or None, response_type="ephemeral", replace_original=False
        ).status_code
    except (*slack.ERRORS, ValueError) as error:  # ValueError: the address is none.
        log.warning("whisper.unheard", error=type(error).__name__)
    else:
        if status != 200:
            log.warning("whisper.unheard", status=status)
        return status == 200
    return False


def log_not_saved(error: Exception) -> None:
    """Say in the log that somebody had to be turned away."""
    log.error(
        "request.not_saved", error=str(error) if type(error).__name__ == "NotSaved" else type(error).__name__
    )
