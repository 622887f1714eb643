"""The form after a thumb down."""

from typing import Any

from bot.views import modal
from tasks.catalogue import say

CALLBACK = "note"
NOTE = "note"


def form(language: str, job_id: str) -> dict[str, Any]:
    """One field, about the answer of a job."""

    def word(key: str) -> dict[str, Any]:
        return modal.plain(say(language, f"rating.{key}"))

    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": job_id,
        "title": word("title"),
        "submit": word("submit"),
        "close": word("close"),
        "blocks": [modal.field(NOTE, word("label"), modal.writing(NOTE, word("hint"), lines=True))],
    }
