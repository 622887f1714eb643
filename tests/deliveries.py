"""What the tests of delivery share: outcomes to tell, and bells that tell them."""

from datetime import datetime

from db import outcomes
from db.models import Job, Post
from db.states import PostKind
from tasks.deliver import stage
from tasks.deliver.stage import deliver
from tasks.resources import Resources
from tests.fakes import NOW, Clock, do, rows

LANE = "slack/C1"
# Longer than any wait between two tries, and than the lease of a lane.
LATER = stage.LONGEST_WAIT + stage.LEASE


def answer(resources: Resources, job: Job, text: str = "It **began** late.", now: datetime = NOW) -> None:
    """A job's answer is there."""
    do(resources.engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), text, truncated=False, now=now))


def fail(resources: Resources, job: Job, code: str = "bug", **params: object) -> None:
    """A job has failed."""
    do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), code, params, NOW))


def of_kind(resources: Resources, kind: PostKind) -> list[Post]:
    """All posts of a kind."""
    return rows(resources.engine, Post, kind=kind)


def run(resources: Resources, clock: Clock, times: int = 1, lane: str = LANE) -> None:
    """Bells, each long after the last."""
    for _ in range(times):
        deliver(resources, lane)
        clock.move(LATER)
