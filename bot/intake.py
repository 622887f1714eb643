"""The one way in, for both doors: commit the job, then ring."""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import jobs, people, posts, session, uploads
from db.models import Job
from db.states import Origin
from tasks import rules
from tasks.catalogue import say
from tasks.recipes import kept
from tasks.resources import Resources

log = structlog.get_logger()

LONGEST_TEXT = 1_000_000
"""Characters of one request; the recipes' own limits, in tokens, are lower."""


# A connection that broke, or a deadlock, need not become an answer to a person; but Slack waits 3 seconds.
AGAIN = timedelta(seconds=0.5)


class NotSaved(Exception):
    """The database did not take the job: do not acknowledge."""


class Refused(Exception):
    """The owners' rules or a limit do not allow a request: nothing was saved."""

    def __init__(self, code: str, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def words(self, language: str, cancel: str) -> str:
        """What the person reads; `cancel` is what they would type to make room."""
        return say(language, f"error.{self.code}", **self.params)


class TooMany(Refused):
    """Somebody has as many requests open as one person may have."""

    def __init__(self, limit: int) -> None:
        super().__init__("too_many", limit=limit)
        self.limit = limit

    def words(self, language: str, cancel: str) -> str:
        """What the person reads; `cancel` is what they would type to make room."""
        key = "intake.too_many" if self.limit > 1 else "intake.too_many_one"
        return say(language, key, limit=self.limit, cancel=cancel)


@contextmanager
def saving() -> Iterator[None]:
    """Turn the database's errors into NotSaved."""
    try:
        yield
    except SQLAlchemyError as error:
        raise NotSaved(type(error).__name__) from error


@dataclass(frozen=True)
class Request:
    """What somebody asks for, whatever door they came through."""

    source_key: str
    origin: Origin
    team: str
    requester: str
    recipe: str
    text: str
    # False: nobody chose the recipe.
    named: bool = True
    # Slack's: {id, name} each.
    files: list[dict[str, str]] = field(default_factory=list)
    message_key: str | None = None
    channel: str | None = None
    # Where the answer goes; None: under a card of its own.
    thread_ts: str | None = None
    message_ts: str | None = None
    # The thread whose messages are the text.
    material_ts: str | None = None
    # The language to answer in: en or ko; None: that of the text.
    answer_language: str | None = None
    response_url: str | None = None
    callback_url: str | None = None


def accept(resources: Resources, request: Request, uploaded: Sequence[tuple[str, bytes]] = ()) -> Job:
    """The job for a request: a new one, committed, or the one that an earlier delivery made (I1, I2).

    `uploaded` are files that came with it: (name, content) each.

    Raises Refused (TooMany over MOST_OPEN), and NotSaved when the database cannot be reached or does not answer in time.
    """
    with saving():
        save = functools.partial(_save, resources, request, uploaded)
        job, earlier = session.persist(resources.engine, save, AGAIN)
    if earlier is not None:
        log.info("request.repeated", job_id=earlier.id, origin=request.origin)
        return earlier
    # A name that is none of ours is a word of what somebody wrote (I10).
    recipe = job.recipe if resources.recipe_of(job) else "unknown"
    log.info("request.accepted", job_id=job.id, origin=request.origin, recipe=recipe)
    _ring(resources, job)
    return job


def revise(resources: Resources, request: Request) -> None:
    """Let the job of an edited message be for what the message says now, unless a model has begun on it.

    Raises NotSaved.
    """
    assert request.message_key is not None  # Only messages can be edited.
    asked = {name: _column(getattr(request, name)) for name in ("recipe", "text", "files", "material_ts")}
    with saving():
        with session.reading(resources.engine) as reading:
            # Most edited messages asked for nothing, and a look takes no lock.
            if jobs.of_message(reading, request.message_key) is None:
                return
        with session.transaction(resources.engine) as transaction:
            asked["own_recipe"] = own_recipe(resources, transaction, request.team, request.recipe)
            job = jobs.revise(transaction, request.message_key, asked, resources.clock())
    if job is None:
        return
    log.info("request.revised", job_id=job.id)
    _ring(resources, job)


def _usual(resources: Resources, transaction: Session, request: Request) -> str:
    """The recipe of somebody who named none: their own choice in the App Home, else the default."""
    chosen = people.preferences(transaction, request.team, request.requester).recipe
    if chosen is None or resources.recipes.get(chosen):
        return chosen or request.recipe
    return chosen if kept.find(transaction, request.team, chosen) else request.recipe


def own_recipe(resources: Resources, transaction: Session, team: str, name: str) -> dict[str, Any] | None:
    """The recipe that owners made under a name, as it is now: a job keeps to it whatever becomes of it (tasks.recipes.own)."""
    if resources.recipes.get(name):
        return None
    found = kept.find(transaction, team, name)
    return found[1].model_dump() if found is not None else None


def _ring(resources: Resources, job: Job) -> None:
    # The card first: that is what somebody looks for.
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)
    resources.bell.ring_prepare(job.id)


def _save(
    resources: Resources, request: Request, uploaded: Sequence[tuple[str, bytes]], transaction: Session
) -> tuple[Job, Job | None]:
    """A new job, and the one that an earlier delivery, or an earlier try, made instead."""
    now = resources.clock()
    asked: dict[str, Any] = {name: _column(value) for name, value in vars(request).items() if name != "named"}
    job = Job(id=jobs.new_id(), created_at=now, deadline=now + resources.settings.job_deadline, **asked)
    if not request.named:
        job.recipe = _usual(resources, transaction, request)
    job.own_recipe = own_recipe(resources, transaction, job.team, job.recipe)
    return job, _add(transaction, job, uploaded, resources.settings.most_open)


def refusal(
    transaction: Session, job: Job, most_open: int, counted_at: datetime | None = None
) -> Refused | None:
    """Why this person may not ask for this; `counted_at`: it is a new request, which quotas count."""
    if jobs.count_open(transaction, job.team, job.requester) >= most_open:
        return TooMany(most_open)
    from_slack = job.origin is not Origin.API
    ours = rules.read(transaction, job.team, job.requester, job.channel, has_groups=from_slack)
    try:
        ours.check(job.recipe)
        ours.check_open()
        if counted_at is not None:
            ours.check_requests(transaction, counted_at)
    except rules.Refusal as refused:
        return Refused(refused.code, **refused.params)
    return None


def _add(transaction: Session, job: Job, uploaded: Sequence[tuple[str, bytes]], most_open: int) -> Job | None:
    """Insert a job, or give the one that an earlier delivery made: that one has its place, also at the cap.

    Requests of one person that come at the same moment are not counted by each other on PostgreSQL: a lock for
    that would cost every acknowledgement more than a few requests over the cap cost the line.
    """
    refused = refusal(transaction, job, most_open, counted_at=job.created_at)
    if refused is None and jobs.add(transaction, job):
        uploads.keep(transaction, job.id, uploaded)
        return None
    earlier = jobs.find(transaction, job.source_key, job.message_key)
    if earlier is None:
        assert refused is not None  # Else a row with one of these keys is why ours was not taken.
        log.info("request.refused", origin=job.origin, code=refused.code)
        raise refused
    return earlier


def _column(value: Any) -> Any:
    return storable(value) if isinstance(value, str) and not isinstance(value, Origin) else value


def storable(value: str) -> str:
    """PostgreSQL stores neither NUL nor half a surrogate pair, and both arrive in JSON."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode()
