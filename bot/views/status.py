"""`/analyze status`: a person's own requests that have not ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from db.models import Job
from tasks import place
from tasks.catalogue import say
from tasks.recipes import Recipes


def message(
    language: str, command: str, recipes: Recipes, jobs: Sequence[Job], now: datetime
) -> dict[str, Any]:
    """The requests, the latest first, as an ephemeral message."""
    if not jobs:
        return {"text": say(language, "status.none", command=command)}
    lines = [
        say(
            language,
            "status.line",
            recipe=recipes.called(job.recipe, language),
            state=_state(language, job),
            minutes=int((now - job.created_at).total_seconds() // 60),
            reference=job.id,
        )
        for job in jobs
    ]
    return {"text": "\n".join([say(language, "status.title", command=command), *lines])}


def _state(language: str, job: Job) -> str:
    state = say(language, "state.held" if job.held else f"state.{job.state}")
    stands = place.words(language, job)
    return say(language, "status.place", state=state, place=stands) if stands else state
