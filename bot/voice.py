"""How the bot speaks when it answers at once: in the person's language, from what is known already."""

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import people, session
from tasks.catalogue import language_of, say
from tasks.resources import Resources
from tasks.text import clean

__all__ = ["language", "log_not_saved", "say"]

log = structlog.get_logger()


def language(resources: Resources, team: str, user: str, text: str = "") -> str:
    """The person's language: as Slack told the last time, else that of what they wrote, else the default.

    Slack is not asked here: an answer within 3 seconds must not wait for it.
    """
    try:
        with session.reading(resources.engine) as reading:
            locale = people.locale(reading, team, user)
    except SQLAlchemyError:
        locale = None
    guess = "ko" if clean.language(text) == "ko" else resources.settings.language
    return language_of(locale, guess)


def log_not_saved(error: Exception) -> None:
    """Say in the log that somebody had to be turned away."""
    log.error(
        "request.not_saved", error=str(error) if type(error).__name__ == "NotSaved" else type(error).__name__
    )
