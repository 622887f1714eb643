"""How jobs end or begin anew: retried once, overdue, given up after dead claims, and what the sweep rings for."""

import pytest
import sqlalchemy as sa

from db import calls, events, jobs, leases, line, outcomes, preparing
from db.models import Job, Post, Step
from db.states import JobState, Origin, PostKind, PostState, StepState
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    SECOND,
    a_step,
    accepted,
    at_once,
    declare,
    do,
    in_line,
    rows,
    set_row,
    the,
)

HOUR = 60 * MINUTE
AFTER = NOW + 2 * HOUR


@pytest.fixture(autouse=True)
def _backend(engine: sa.Engine) -> None:
    declare(engine)


def failed(engine: sa.Engine, **changes) -> Job:
    job = in_line(engine, **changes)
    do(engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {"a": 1}, NOW + MINUTE))
    return the(engine, Job, job.id)


def test_a_retry_begins_the_next_attempt_from_the_start(engine: sa.Engine):
    job = failed(engine)
    later = NOW + HOUR
    again = do(engine, jobs.retry, job.id, 1, later, HOUR)
    assert again is not None
    after = the(engine, Job, job.id)
    assert (after.attempt, after.state, after.claims) == (2, JobState.RECEIVED, 0)
    assert (after.error, after.error_params, after.ended_at) == (None, {}, None)
    assert (after.created_at, after.deadline) == (later, later + HOUR)
    assert rows(engine, Step) == []
    assert do(engine, events.of_job, job.id)[-1].detail == {"attempt": 2}
    taken = do(engine, preparing.claim, job.id, later, LEASE)
    assert taken is not None
    assert do(engine, preparing.prepared, job.id, taken.fence, "main", None, [a_step()], later)


def test_a_failed_retry_is_told_again(engine: sa.Engine):
    job = failed(engine)
    do(engine, jobs.retry, job.id, 1, NOW, HOUR)
    do(engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, NOW))
    posts = rows(engine, Post)
    assert [(post.kind, post.attempt) for post in posts] == [
        (PostKind.CARD, 0),
        (PostKind.FAILURE, 1),
        (PostKind.FAILURE, 2),
    ]


def test_only_the_failed_attempt_that_was_shown_can_be_retried(engine: sa.Engine):
    job = failed(engine)
    assert do(engine, jobs.retry, job.id, 2, NOW, HOUR) is None
    assert do(engine, jobs.retry, "nobody", 1, NOW, HOUR) is None
    waiting = in_line(engine)
    assert do(engine, jobs.retry, waiting.id, 1, NOW, HOUR) is None
    do(engine, outcomes.cancel, waiting.id, NOW)
    assert do(engine, jobs.retry, waiting.id, 1, NOW, HOUR) is None


def test_however_often_retry_is_pressed_it_begins_once(engine: sa.Engine):
    for _ in range(5):
        job = failed(engine)
        begun = at_once(8, lambda _, job_id=job.id: do(engine, jobs.retry, job_id, 1, NOW, HOUR))
        assert len([one for one in begun if one]) == 1
        assert the(engine, Job, job.id).attempt == 2


def test_a_late_preparer_of_the_last_attempt_does_not_disturb_the_next(engine: sa.Engine):
    job = accepted(engine)
    do(engine, preparing.claim, job.id, NOW, LEASE)
    do(engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "deadline", {}, NOW))
    do(engine, jobs.retry, job.id, 1, NOW, HOUR)
    do(engine, preparing.claim, job.id, NOW, LEASE)
    assert not do(engine, preparing.prepared, job.id, 1, "main", None, [a_step()], NOW)
    assert rows(engine, Step) == []


def test_a_call_of_the_last_attempt_keeps_its_slot_and_says_nothing_in_the_next(engine: sa.Engine):
    declare(engine, limit=2)
    job = in_line(engine, steps=2)
    old = do(engine, line.claim, "main", NOW, LEASE)
    assert old is not None
    do(engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, NOW))
    assert do(engine, jobs.retry, job.id, 1, NOW, HOUR)
    taken = do(engine, preparing.claim, job.id, NOW, LEASE)
    assert taken is not None
    do(engine, preparing.prepared, job.id, taken.fence, "main", None, [a_step(), a_step()], NOW)
    # The old stream is still open at the server, so of two slots one is free (I5).
    new = do(engine, line.claim, "main", NOW, LEASE)
    assert new is not None
    assert do(engine, line.claim, "main", NOW, LEASE) is None
    # Its worker is told to stop, and its answer belongs to nothing.
    assert not do(engine, leases.renew, old, "old", 1, NOW, LEASE)
    assert do(engine, leases.finish, old, "old", 1, 1, False, NOW) is None
    assert the(engine, Step, old.step_id).state is StepState.CANCELLED
    assert do(engine, line.claim, "main", NOW, LEASE) is not None
    assert the(engine, Job, job.id).state is JobState.RUNNING
    assert do(engine, calls.progress, the(engine, Job, job.id)) == (0, 2)


@pytest.mark.parametrize("leave", ["give_back", "abandon", "die"])
def test_a_call_of_the_last_attempt_leaves_without_a_trace(engine: sa.Engine, leave: str):
    job = in_line(engine, steps=2)
    old = do(engine, line.claim, "main", NOW, LEASE)
    assert old is not None
    do(engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, NOW))
    do(engine, jobs.retry, job.id, 1, NOW, HOUR)
    taken = do(engine, preparing.claim, job.id, NOW, LEASE)
    assert taken is not None
    do(engine, preparing.prepared, job.id, taken.fence, "main", None, [a_step()], NOW)
    new = do(engine, line.claim, "main", NOW, 9 * LEASE)
    assert new is not None
    if leave == "give_back":
        assert do(engine, leases.give_back, old, NOW, NOW, False)
    elif leave == "abandon":
        assert do(engine, leases.abandon, old, NOW) is None
    else:
        do(engine, leases.free_dead, NOW + LEASE, 1)
    assert the(engine, Step, old.step_id).state is StepState.CANCELLED
    assert the(engine, Job, job.id).state is JobState.RUNNING
    done = do(engine, leases.finish, new, "new", 1, 1, False, NOW)
    assert done is not None
    assert done.answers == ["new"]


def test_only_open_jobs_past_their_deadline_are_ended(engine: sa.Engine):
    overdue = [accepted(engine), in_line(engine)]
    running = in_line(engine)
    set_row(engine, Job, running.id, state=JobState.RUNNING)
    begun = accepted(engine)
    do(engine, preparing.claim, begun.id, NOW, LEASE)
    in_time = accepted(engine, deadline=AFTER)
    ended = in_line(engine)
    do(engine, outcomes.cancel, ended.id, NOW)
    expected = {*(job.id for job in overdue), running.id, begun.id}
    assert set(do(engine, outcomes.end_overdue, AFTER)) == expected
    assert do(engine, outcomes.end_overdue, AFTER) == []
    for job_id in expected:
        job = the(engine, Job, job_id)
        assert (job.state, job.error, job.error_params) == (JobState.FAILED, "deadline", {"minutes": 120.0})
    assert the(engine, Job, in_time.id).state is JobState.RECEIVED
    assert the(engine, Job, ended.id).state is JobState.CANCELLED
    assert len(rows(engine, Post, kind=PostKind.FAILURE)) == 4
    assert {step.state for step in rows(engine, Step)} == {StepState.CANCELLED}


def test_overdue_jobs_are_ended_in_portions_and_once_by_two_sweeps(engine: sa.Engine):
    for _ in range(6):
        accepted(engine)
    assert len(do(engine, outcomes.end_overdue, AFTER, most=2)) == 2
    ended = at_once(4, lambda _: do(engine, outcomes.end_overdue, AFTER))
    assert sum(len(some) for some in ended) == 4
    assert len(rows(engine, Post, kind=PostKind.FAILURE)) == 6


def test_three_dead_claims_end_a_job(engine: sa.Engine):
    job = accepted(engine)
    now = NOW
    for _ in range(3):
        assert do(engine, preparing.end_hopeless, 3, now) == []
        assert do(engine, preparing.claim, job.id, now, LEASE) is not None
        assert do(engine, preparing.end_hopeless, 3, now) == []
        now += LEASE + SECOND
    assert do(engine, preparing.end_hopeless, 3, now) == [job.id]
    after = the(engine, Job, job.id)
    assert (after.state, after.error) == (JobState.FAILED, "bug")


def test_the_sweep_rings_for_the_unclaimed_and_for_no_others(engine: sa.Engine):
    before = NOW - 2 * SECOND
    old = accepted(engine, created_at=NOW - MINUTE)
    accepted(engine, created_at=before)
    accepted(engine)
    held = accepted(engine, created_at=NOW - MINUTE)
    do(engine, preparing.claim, held.id, NOW, LEASE)
    dead = accepted(engine, created_at=NOW - 2 * MINUTE)
    do(engine, preparing.claim, dead.id, NOW - MINUTE, LEASE)
    in_line(engine, created_at=NOW - MINUTE)
    cancelled = accepted(engine, created_at=NOW - MINUTE)
    do(engine, outcomes.cancel, cancelled.id, NOW)
    assert do(engine, preparing.unclaimed, before, NOW) == [dead.id, old.id]
    assert do(engine, preparing.unclaimed, before, NOW, most=1) == [dead.id]


def test_ending_a_job_asks_for_its_card_again(engine: sa.Engine):
    job = in_line(engine)
    [card] = rows(engine, Post)
    set_row(engine, Post, card.id, state=PostState.SHOWN)
    do(engine, outcomes.cancel, job.id, NOW)
    [after] = rows(engine, Post)
    assert after.state is PostState.WANTED
    assert after.revision == card.revision + 1


@pytest.mark.parametrize(
    ("origin", "channel", "kept"),
    [(Origin.MENTION, "C1", None), (Origin.API, "C1", "sealed"), (Origin.API, None, "sealed")],
)
def test_hidden_values_are_kept_until_all_is_shown_or_as_long_as_a_result_can_be_read(
    engine: sa.Engine, origin: Origin, channel: str | None, kept: str | None
):
    job = in_line(engine, origin=origin, channel=channel)
    set_row(engine, Job, job.id, originals="sealed")
    do(engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), "It began.", truncated=False, now=NOW))
    do(engine, outcomes.settle, job.id)
    assert the(engine, Job, job.id).originals == "sealed"
    for post in rows(engine, Post, kind=PostKind.RESULT):
        set_row(engine, Post, post.id, state=PostState.SHOWN)
    do(engine, outcomes.settle, job.id)
    after = the(engine, Job, job.id)
    assert (after.state, after.originals) == (JobState.DONE, kept)


@pytest.mark.parametrize("origin", [Origin.MENTION, Origin.API])
def test_a_failure_that_is_shown_and_a_retry_keep_no_hidden_values(engine: sa.Engine, origin: Origin):
    job = failed(engine, origin=origin)
    set_row(engine, Job, job.id, originals="sealed")
    for post in rows(engine, Post, kind=PostKind.FAILURE):
        set_row(engine, Post, post.id, state=PostState.SHOWN)
    do(engine, outcomes.settle, job.id)
    assert the(engine, Job, job.id).originals is None
    set_row(engine, Job, job.id, originals="sealed")
    do(engine, jobs.retry, job.id, 1, NOW, HOUR)
    assert the(engine, Job, job.id).originals is None
