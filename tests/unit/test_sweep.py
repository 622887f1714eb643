"""The sweep: every lost bell is a delay, every dead worker is followed, and what is old is forgotten."""

from datetime import timedelta

from db import jobs, line
from db.models import Job, Step
from db.states import JobState, StepState
from tasks import sweep as sweeping
from tasks.sweep import sweep
from tests.fakes import LEASE, MINUTE, NOW, SECOND, accepted, declare, do, in_line, rows, the


def test_a_quiet_house_rings_for_nothing(resources, bell):
    sweep(resources)
    assert bell.rung == []


def test_lost_bells_are_rung_again(resources, bell, clock):
    declare(resources.engine, limit=2)
    job = accepted(resources.engine, channel="C1")
    in_line(resources.engine, steps=3, channel="C2")
    clock.move(sweeping.UNHEARD + SECOND)
    sweep(resources)
    assert sorted(bell.rung) == [
        ("deliver", "slack/C1"),
        ("deliver", "slack/C2"),
        ("infer", "main"),
        ("infer", "main"),
        ("prepare", job.id),
    ]


def test_a_bell_just_rung_is_given_time_to_be_heard(resources, bell, clock):
    accepted(resources.engine, channel=None)
    clock.move(sweeping.UNHEARD)
    sweep(resources)
    assert bell.rung == []


def test_a_dead_call_goes_back_in_line_and_is_rung_for(resources, bell, clock):
    in_line(resources.engine, channel=None)
    do(resources.engine, line.claim, "main", NOW, LEASE)
    sweep(resources)
    assert bell.rung == []
    clock.move(LEASE)
    sweep(resources)
    [step] = rows(resources.engine, Step)
    assert step.state is StepState.WAITING
    assert bell.rung == [("infer", "main")]


def test_an_overdue_job_ends_with_words(resources, bell, clock):
    job = in_line(resources.engine)
    clock.move(timedelta(hours=1) + SECOND)
    sweep(resources)
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error) == (JobState.FAILED, "deadline")
    assert bell.rung == [("deliver", "slack/C1")]


def test_a_job_that_kills_its_preparer_is_not_tried_for_ever(resources, bell, clock):
    job = accepted(resources.engine)
    for _ in range(sweeping.MOST_CLAIMS):
        assert do(resources.engine, jobs.claim, job.id, clock.now, LEASE) is not None
        clock.move(LEASE + SECOND)
    sweep(resources)
    assert the(resources.engine, Job, job.id).error == "bug"
    assert ("prepare", job.id) not in bell.rung


def test_what_outlived_its_retention_is_forgotten(resources, clock):
    job = accepted(resources.engine)
    do(resources.engine, jobs.cancel, job.id, NOW)
    clock.move(resources.settings.retention)
    sweep(resources)
    assert len(rows(resources.engine, Job)) == 1
    clock.move(MINUTE)
    sweep(resources)
    assert rows(resources.engine, Job) == []
