"""Two sweeps at the same moment do what one does, on both databases; and where nobody asks, one is made."""

from datetime import timedelta

import sqlalchemy as sa

from db import events, line, outcomes, preparing
from db.models import Backend, Job, Post, Step
from db.states import JobState, PostKind, StepState
from tasks import silence
from tasks.sweep import MOST_CLAIMS, sweep
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    Clock,
    accepted,
    at_once,
    declare,
    do,
    in_line,
    resources,
    rows,
    set_row,
    the,
)

HOUR = timedelta(hours=1)


def test_sweeps_at_once_do_what_one_does(engine: sa.Engine) -> None:
    """Overdue, hopeless, dead and old jobs: each ended, freed or forgotten once, and told once."""
    declare(engine, limit=8)
    overdue = [in_line(engine, deadline=NOW + MINUTE) for _ in range(5)]
    hopeless = [accepted(engine) for _ in range(5)]
    for job in hopeless:
        do(engine, preparing.claim, job.id, NOW, LEASE)
        set_row(engine, Job, job.id, claims=MOST_CLAIMS)
    dead = [in_line(engine, requester=f"U{number}", deadline=NOW + HOUR) for number in range(5)]
    do(
        engine,
        lambda s: s.execute(
            sa.update(Step).where(Step.job_id.in_([j.id for j in overdue])).values(not_before=NOW + HOUR)
        ),
    )
    while do(engine, line.claim, "main", NOW, LEASE) is not None:
        pass
    for step in rows(engine, Step, job_id=dead[0].id):
        set_row(engine, Step, step.id, claims=MOST_CLAIMS)
    old = accepted(engine)
    do(engine, outcomes.cancel, old.id, NOW - 31 * 24 * HOUR)

    sweepers = [resources(engine, Clock(NOW + 2 * MINUTE)) for _ in range(4)]
    at_once(len(sweepers), lambda number: sweep(sweepers[number]))

    ended = [*overdue, *hopeless, dead[0]]
    assert {the(engine, Job, job.id).state for job in ended} == {JobState.FAILED}
    told = [post.job_id for post in rows(engine, Post, kind=PostKind.FAILURE)]
    assert sorted(told) == sorted(job.id for job in ended)
    for job in dead[1:]:
        [step] = rows(engine, Step, job_id=job.id)
        assert (step.state, step.claims, the(engine, Job, job.id).state) == (
            StepState.WAITING,
            1,
            JobState.WAITING,
        )
        assert [event.name for event in do(engine, events.of_job, job.id)].count("lease lost") == 1
    assert not rows(engine, Job, id=old.id)
    assert the(engine, Backend, "main").swept_at == NOW + 2 * MINUTE


def test_of_workers_that_look_at_once_one_sweeps(engine: sa.Engine) -> None:
    """As when a database comes back, and nobody asks."""
    declare(engine)
    workers = [resources(engine, Clock()) for _ in range(8)]
    swept: list[int] = []
    at_once(len(workers), lambda number: silence.stand_in(workers[number], lambda: swept.append(number)))
    assert len(swept) == 1
