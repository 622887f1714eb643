"""Forms: what opens them, and what was filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.intake import Request, storable
from bot.payloads import Payload, attached, carried, part, who, word
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
        return Request(
            source_key=f"view:{self.view}",
            origin=Origin.COMMAND,
            team=self.team,
            requester=self.user,
            channel=channel,
            recipe=recipe.name,
            text=_asked(recipe, self.filled, self.filled.text),
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
            text=_asked(recipe, self.filled, job.text),
            files=job.files,
            answer_language=self.filled.language,
            response_url=job.response_url,
        )


def opening(body: Payload) -> Opening:
    """Read the global shortcut; raises Malformed."""
    return Opening(*who(body), trigger=word(body, "trigger_id", 200))


def submission(body: Payload) -> Submission:
    """Read a form that was sent; raises Malformed."""
    view = part(body, "view")
    return Submission(
        *who(body),
        view=word(view, "id"),
        origin=carried(view, "private_metadata", 3000, modal.Origin.parse),
        filled=modal.filled(_values(view)),
    )


def note(body: Payload) -> Note:
    """Read the form after a thumb down; raises Malformed."""
    view = part(body, "view")
    return Note(
        *who(body),
        job_id=word(view, "private_metadata"),
        text=modal.written(_values(view), note_view.NOTE),
    )


def own_recipe(body: Payload) -> OwnRecipe:
    """Read the form of a recipe that was sent; raises Malformed."""
    view = part(body, "view")
    origin = carried(view, "private_metadata", 3000, own_view.Origin.parse)
    said, everywhere = own_view.filled(_values(view))
    said = {name: storable(value) if isinstance(value, str) else value for name, value in said.items()}
    return OwnRecipe(*who(body), origin, said, everywhere)


def again(body: Payload) -> Again:
    """Read the form that runs a request once more; raises Malformed."""
    view = part(body, "view")
    return Again(
        *who(body),
        view=word(view, "id"),
        job_id=word(view, "private_metadata"),
        filled=modal.filled(_values(view)),
    )


def _values(view: Payload) -> Payload:
    """What stands in the fields of a form; raises Malformed."""
    return part(part(view, "state"), "values")


def _asked(recipe: Recipe, filled: modal.Filled, text: str) -> str:
    """In the form that the command's own text has: the question in its first line."""
    question = " ".join(filled.question.split()) if recipe.needs_question else ""
    return "\n".join(part for part in (question, text) if part)
