"""Forms: what opens them, and what was filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.intake import Request, storable
from bot.payloads import Malformed, Payload, attached, part, word
from bot.views import modal
from bot.views import note as note_view
from bot.views import own_recipe as own_view
from db.models import Job
from db.states import Origin
from tasks.recipes import Recipe


@dataclass(frozen=True)
class Opening:
    """Somebody wants the form; `trigger` opens it, for 3 seconds."""

    team: str
    user: str
    trigger: str
    channel: str | None = None
    response_url: str | None = None


@dataclass(frozen=True)
class Submission:
    """A form that somebody sent, from the view with the id `view`."""

    team: str
    user: str
    view: str
    origin: modal.Origin
    filled: modal.Filled

    def too_large(self, most: int) -> tuple[str, int] | None:
        """The first file of more than `most` bytes, by name, and its size; Slack says sizes before anything is read."""
        for file in self.filled.files:
            size = file.get("size") if isinstance(file, Mapping) else None
            if isinstance(size, int) and size > most:
                return str(file.get("name") or file.get("id")), size
        return None

    def request(self, recipe: Recipe, channel: str) -> Request:
        """The analysis it asks for, answered under a card in `channel`, like a command's."""
        # In the form that the command's own text has: the question in its first line.
        question = " ".join(self.filled.question.split()) if recipe.needs_question else ""
        return Request(
            source_key=f"view:{self.view}",
            origin=Origin.COMMAND,
            team=self.team,
            requester=self.user,
            channel=channel,
            recipe=recipe.name,
            text="\n".join(part for part in (question, self.filled.text) if part),
            files=attached(self.filled.files),
            answer_language=self.filled.language,
            response_url=self.origin.response_url,
        )


@dataclass(frozen=True)
class Note:
    """What was wrong with the answer of a job."""

    team: str
    user: str
    job_id: str
    text: str


@dataclass(frozen=True)
class OwnRecipe:
    """A recipe of the owners' own that somebody sent: `said` field by field, `everywhere` for every workspace."""

    team: str
    user: str
    origin: own_view.Origin
    said: dict[str, Any]
    everywhere: bool


@dataclass(frozen=True)
class Again:
    """The input of a job is to be worked on once more."""

    team: str
    user: str
    view: str
    job_id: str
    filled: modal.Filled

    def request(self, recipe: Recipe, job: Job) -> Request:
        """The new request, answered where the first one was."""
        question = " ".join(self.filled.question.split()) if recipe.needs_question else ""
        return Request(
            source_key=f"view:{self.view}",
            origin=job.origin,
            team=self.team,
            requester=self.user,
            channel=job.channel,
            thread_ts=job.thread_ts,
            message_ts=job.message_ts,
            material_ts=job.material_ts,
            recipe=recipe.name,
            text="\n".join(part for part in (question, job.text) if part),
            files=job.files,
            answer_language=self.filled.language,
            response_url=job.response_url,
        )


def opening(body: Payload) -> Opening:
    """Read the global shortcut; raises Malformed."""
    return Opening(
        team=word(part(body, "team"), "id"),
        user=word(part(body, "user"), "id"),
        trigger=word(body, "trigger_id", 200),
    )


def submission(body: Payload) -> Submission:
    """Read a form that was sent; raises Malformed."""
    view = part(body, "view")
    try:
        origin = modal.Origin.parse(word(view, "private_metadata", 3000))
    except ValueError:
        raise Malformed("view.private_metadata") from None
    return Submission(
        team=word(part(body, "team"), "id"),
        user=word(part(body, "user"), "id"),
        view=word(view, "id"),
        origin=origin,
        filled=modal.filled(part(part(view, "state"), "values")),
    )


def note(body: Payload) -> Note:
    """Read the form after a thumb down; raises Malformed."""
    view = part(body, "view")
    return Note(
        team=word(part(body, "team"), "id"),
        user=word(part(body, "user"), "id"),
        job_id=word(view, "private_metadata"),
        text=modal.written(part(part(view, "state"), "values"), note_view.NOTE),
    )


def own_recipe(body: Payload) -> OwnRecipe:
    """Read the form of a recipe that was sent; raises Malformed."""
    view = part(body, "view")
    try:
        origin = own_view.Origin.parse(word(view, "private_metadata", 3000))
    except ValueError:
        raise Malformed("view.private_metadata") from None
    said, everywhere = own_view.filled(part(part(view, "state"), "values"))
    said = {name: storable(value) if isinstance(value, str) else value for name, value in said.items()}
    return OwnRecipe(word(part(body, "team"), "id"), word(part(body, "user"), "id"), origin, said, everywhere)


def again(body: Payload) -> Again:
    """Read the form that runs a request once more; raises Malformed."""
    view = part(body, "view")
    return Again(
        team=word(part(body, "team"), "id"),
        user=word(part(body, "user"), "id"),
        view=word(view, "id"),
        job_id=word(view, "private_metadata"),
        filled=modal.filled(part(part(view, "state"), "values")),
    )
