"""The one way in, for both doors: commit the job, then ring."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import jobs, posts, session, uploads
from db.models import Job
from db.states import Origin
from tasks.catalogue import say
from tasks.resources import Resources

log = structlog.get_logger()

LONGEST_TEXT = 1_000_000
"""Characters of one request; the recipes' own limits, in tokens, are lower."""


class NotSaved(Exception):
    """The database did not take the job: do not acknowledge."""


class TooMany(Exception):
    """Somebody has as many requests open as one person may have: nothing was saved."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def words(self, language: str, cancel: str) -> str:
        """What the person reads; `cancel` is what they would type to make room."""
        key = "intake.too_many" if self.limit > 1 else "intake.too_many_one"
        return say(language, key, limit=self.limit, cancel=cancel)


@dataclass(frozen=True)
class Request:
    """What somebody asks for, whatever door they came through."""

    source_key: str
    origin: Origin
    team: str
    requester: str
    recipe: str
    text: str
    # Slack's: {id, name} each.
    files: list[dict[str, str]] = field(default_factory=list)
    message_key: str | None = None
    channel: str | None = None
    # Where the answer goes; None: under a card of its own.
    thread_ts: str | None = None
    message_ts: str | None = None
    # The thread whose messages are the text.
    material_ts: str | None = None
    response_url: str | None = None
    callback_url: str | None = None


def accept(resources: Resources, request: Request, uploaded: Sequence[tuple[str, bytes]] = ()) -> Job:
    """The job for a request: a new one, committed, or the one that an earlier delivery made (I1, I2).

    `uploaded` are files that came with it: (name, content) each.

    Raises TooMany over MOST_OPEN, and NotSaved when the database cannot be reached or does not answer in time.
    """
    now = resources.clock()
    asked: dict[str, Any] = {name: _column(value) for name, value in vars(request).items()}
    job = Job(
        id=jobs.new_id(),
        created_at=now,
        deadline=now + resources.settings.job_deadline,
        **asked,
    )
    try:
        with session.transaction(resources.engine) as transaction:
            earlier = _add(transaction, job, uploaded, resources.settings.most_open)
    except SQLAlchemyError as error:
        raise NotSaved(type(error).__name__) from error
    if earlier is not None:
        log.info("request.repeated", job_id=earlier.id, origin=request.origin)
        return earlier
    # A name that is none of ours is a word of what somebody wrote (I10).
    recipe = job.recipe if resources.recipes.get(job.recipe) else "unknown"
    log.info("request.accepted", job_id=job.id, origin=request.origin, recipe=recipe)
    resources.bell.ring_prepare(job.id)
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)
    return job


def _add(transaction: Session, job: Job, uploaded: Sequence[tuple[str, bytes]], most_open: int) -> Job | None:
    """Insert a job, or give the one that an earlier delivery made: that one has its place, also at the cap.

    Requests of one person that come at the same moment are not counted by each other on PostgreSQL: a lock for
    that would cost every acknowledgement more than a few requests over the cap cost the line.
    """
    is_full = jobs.count_open(transaction, job.team, job.requester) >= most_open
    if not is_full and jobs.add(transaction, job):
        uploads.keep(transaction, job.id, uploaded)
        return None
    earlier = jobs.find(transaction, job.source_key, job.message_key)
    if earlier is None:
        assert is_full  # Else a row with one of these keys is why ours was refused.
        log.info("request.too_many", origin=job.origin, limit=most_open)
        raise TooMany(most_open)
    return earlier


def _column(value: Any) -> Any:
    return storable(value) if isinstance(value, str) and not isinstance(value, Origin) else value


def storable(value: str) -> str:
    """PostgreSQL stores neither NUL nor half a surrogate pair, and both arrive in JSON."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode()
