"""An analysis as the API shows it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from db.models import Job
from tasks import place, understood


class Standing(BaseModel):
    """An analysis, and its place in line."""

    id: str
    state: Literal["received", "preparing", "waiting", "running", "done", "failed", "cancelled"]
    ahead: int | None = Field(
        default=None,
        description="Model calls that come before its next one in fair order, rounded above 10. "
        "Null: not in line, or too far back to be counted.",
    )
    seconds_left: tuple[int, int | None] | None = Field(
        default=None,
        description="At least and at most, until it is done; the second is null when it is longer than is told. "
        "Null: not in line, or nobody can tell yet.",
    )


class Analysis(Standing):
    """Where an analysis stands, and its result once there is one."""

    recipe: str
    created_at: datetime
    calls: int | None = Field(
        default=None, description="Model calls that it takes, at most. Null: not known yet."
    )
    needs_confirmation: bool = Field(
        default=False, description="Whether so many begin only with your word: `POST .../confirm`."
    )
    ended_at: datetime | None = None
    result: str | None = Field(
        default=None, description="Markdown, or JSON where the recipe answers in a form."
    )
    truncated: bool = False
    error: str | None = Field(default=None, description="A code that stays the same between versions.")
    message: str | None = Field(default=None, description="What failed and what to do, in words.")


def state(job: Job) -> Any:
    """The state in the API's words: whether posts have been shown is Slack's side of it, the result is there."""
    return "done" if job.state == "answered" else job.state.value


def standing(job: Job) -> Standing:
    """A job without its result."""
    return Standing(id=job.id, state=state(job), ahead=place.ahead(job), seconds_left=place.seconds_left(job))


def analysis(language: str, job: Job, result: str | None = None) -> Analysis:
    """All of a job; the words of a failure are in `language`, and `result` is the answer as its owner reads it."""
    return Analysis(
        **vars(standing(job)),
        recipe=job.recipe,
        created_at=job.created_at,
        calls=(job.plan or {}).get("calls"),
        needs_confirmation=job.held,
        ended_at=job.ended_at,
        result=result,
        truncated=job.truncated,
        error=job.error,
        message=understood.reason(language, job) if job.error else None,
    )
