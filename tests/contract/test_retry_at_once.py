"""Retry, pressed at the same moment by several windows, on both databases."""

import sqlalchemy as sa

from bot.listeners import retry
from bot.payloads import presses
from db import outcomes
from db.models import Job
from tasks import actions
from tests import fakes
from tests.fakes import NOW, Clock, at_once, do, in_line, the


def test_presses_at_once_begin_one_attempt_and_ring_once(engine: sa.Engine):
    """All but one are told that it was retried already."""
    fakes.declare(engine)
    resources = fakes.resources(engine, Clock())
    for _ in range(5):
        job = in_line(engine)
        do(engine, lambda s, key=job.id: outcomes.fail(s, s.get_one(Job, key), "bug", {}, NOW))
        resources.bell.rung.clear()
        press = presses.Press("T1", "UANNA", actions.Attempt(job.id, 1), "")
        said = at_once(6, lambda _, press=press: retry.again(resources, press))
        assert sorted(said, key=str) == [None, *["intake.retried_already"] * 5]
        assert the(engine, Job, job.id).attempt == 2
        assert resources.bell.rung.count(("prepare", job.id)) == 1
