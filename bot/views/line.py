"""The line as the API shows it: the model servers, and the caller's own analyses."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, Field

from bot.views.analysis import Standing, standing
from db.backends import Count
from db.models import Backend, Job


class ModelServer(BaseModel):
    """A model server, and how many calls it has."""

    name: str
    limit: int = Field(description="The most calls in flight at once.")
    learned: bool = Field(description="Whether the limit is learned; else the operators set it.")
    in_flight: int = Field(description="Calls that are being made, everybody's.")
    waiting: int = Field(description="Calls that wait for their turn, everybody's.")
    paused: bool = Field(description="Whether the owners keep calls from starting there.")
    trouble: str | None = Field(
        description="What the latest call met, until one gets through: `busy`, `out_of_memory`, `loading`, "
        "`down`, or `settings` (it does not accept our address, key or model)."
    )


class Line(BaseModel):
    """How long the line is, and where you stand in it."""

    backends: list[ModelServer]
    analyses: list[Standing] = Field(
        description="Your own that have not ended, the latest first, 100 at most."
    )


def line(backends: Iterable[Backend], counts: Mapping[str, Count], own: Iterable[Job]) -> Line:
    """Numbers of all people together, and the jobs in `own`."""
    servers = [
        ModelServer(
            name=backend.name,
            limit=backend.limit,
            learned=backend.learned is not None,
            in_flight=counts[backend.name].in_flight,
            waiting=counts[backend.name].waiting,
            paused=backend.paused_at is not None,
            trouble=backend.trouble,
        )
        for backend in backends
    ]
    return Line(backends=servers, analyses=[standing(job) for job in own])
