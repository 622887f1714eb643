"""The line on both databases: the limit, the order, and what may be claimed (I5)."""

import multiprocessing
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from db import events, leases, line, outcomes
from db.models import Backend, Job, Step
from db.states import JobState, StepState
from db.turns import Rank
from tests import claimers
from tests.fakes import LEASE, MINUTE, NOW, SECOND, at_once, declare, do, in_line, rows, set_row, the


@pytest.fixture(autouse=True)
def _backend(engine: sa.Engine) -> None:
    declare(engine, limit=2)


def claim(engine: sa.Engine, now=NOW, lease: timedelta = LEASE) -> line.Claimed | None:
    return do(engine, line.claim, "main", now, lease)


def test_a_claim_says_all_that_a_call_needs(engine: sa.Engine):
    job = in_line(engine, callback_url="https://a.test/b")
    claimed = claim(engine)
    assert claimed is not None
    [step] = rows(engine, Step)
    assert (claimed.step_id, claimed.job_id, claimed.fence, claimed.attempts) == (step.id, job.id, 1, 0)
    assert (claimed.messages, claimed.max_tokens, claimed.temperature) == (step.messages, 100, 0.2)
    assert list(claimed.lanes) == ["slack/C1", "callback/a.test"]
    assert not claimed.backend_was_troubled
    assert (step.state, step.lease_until, step.started_at) == (StepState.RUNNING, NOW + LEASE, NOW)
    assert the(engine, Job, job.id).state is JobState.RUNNING
    assert do(engine, events.of_job, job.id)[-1].name == "running"


def test_nothing_is_claimed_of_an_empty_line_or_an_unknown_backend(engine: sa.Engine):
    assert claim(engine) is None
    in_line(engine)
    assert do(engine, line.claim, "other", NOW, LEASE) is None


def test_first_come_first_served_up_to_the_limit(engine: sa.Engine):
    made = [in_line(engine).id for _ in range(3)]
    taken = [claim(engine) for _ in range(3)]
    assert [one and one.job_id for one in taken] == [made[0], made[1], None]


def test_a_finished_call_gives_its_slot_to_the_next(engine: sa.Engine):
    made = [in_line(engine).id for _ in range(3)]
    first = claim(engine)
    assert first is not None
    assert claim(engine) is not None
    assert claim(engine) is None
    do(engine, leases.finish, first, "yes", 1, 1, False, NOW)
    third = claim(engine)
    assert third is not None
    assert third.job_id == made[2]


def test_a_lower_limit_holds_from_the_next_claim_on(engine: sa.Engine):
    for _ in range(3):
        in_line(engine)
    assert claim(engine) is not None
    declare(engine, limit=1)
    assert claim(engine) is None
    declare(engine, limit=2)
    assert claim(engine) is not None


def test_a_paused_backend_serves_nobody_until_its_time(engine: sa.Engine):
    in_line(engine)
    set_row(engine, Backend, "main", not_before=NOW + SECOND)
    assert claim(engine) is None
    assert claim(engine, NOW + SECOND) is not None


def test_backends_do_not_share_slots(engine: sa.Engine):
    declare(engine, limit=1)
    in_line(engine)
    assert claim(engine) is not None
    declare(engine, limit=1, name="other")
    in_line(engine)
    do(engine, line.move, "main", "other", None, 1000, NOW)
    do(engine, line.adopt, lambda _requester, _channel: Rank())
    assert claim(engine) is None
    assert do(engine, line.claim, "other", NOW, LEASE) is not None


def test_a_picture_waits_for_a_server_that_sees(engine: sa.Engine):
    """A fallback that sees none would answer about nothing."""
    declare(engine)
    declare(engine, name="other")
    shown, plain = in_line(engine), in_line(engine)
    [step] = rows(engine, Step, job_id=shown.id)
    set_row(engine, Step, step.id, pictures=[{"mark": "[picture 1]", "url": "data:x", "tokens": 1}])
    assert do(engine, line.move, "main", "other", None, 1000, NOW) == 1
    assert [step.backend for step in rows(engine, Step, job_id=plain.id)] == ["other"]
    assert [step.backend for step in rows(engine, Step, job_id=shown.id)] == ["main"]
    moved = do(engine, lambda s: line.move(s, "main", "other", None, 1000, NOW, sees=True))
    assert moved == 1


def test_a_step_that_is_not_due_lets_the_next_pass(engine: sa.Engine):
    first = in_line(engine)
    second = in_line(engine)
    [step] = rows(engine, Step, job_id=first.id)
    set_row(engine, Step, step.id, not_before=NOW + SECOND)
    taken = claim(engine)
    assert taken is not None
    assert taken.job_id == second.id
    assert claim(engine) is None
    assert claim(engine, NOW + SECOND) is not None


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED, JobState.RECEIVED])
def test_a_step_of_a_job_that_has_ended_is_not_taken(engine: sa.Engine, state: JobState):
    job = in_line(engine)
    set_row(engine, Job, job.id, state=state)
    assert claim(engine) is None
    [step] = rows(engine, Step)
    assert (step.state, step.fence) == (StepState.WAITING, 0)


def test_a_dead_lease_frees_its_slot(engine: sa.Engine):
    declare(engine, limit=1)
    for _ in range(2):
        in_line(engine)
    assert claim(engine) is not None
    assert claim(engine, NOW + LEASE - SECOND) is None
    assert claim(engine, NOW + LEASE) is not None


def test_a_lease_that_ran_out_is_not_renewed_when_its_slot_may_be_gone(engine: sa.Engine):
    declare(engine, limit=1)
    for _ in range(2):
        in_line(engine)
    slow = claim(engine)
    assert slow is not None
    late = NOW + LEASE
    assert claim(engine, late) is not None
    assert not do(engine, leases.renew, slow, "so far", 1, late, LEASE)
    with engine.connect() as connection:
        live = sa.select(sa.func.count()).select_from(Step).where(Step.lease_until > late)
        assert connection.scalar(live) == 1


def test_eight_workers_at_once_take_no_more_than_the_limit_and_nothing_twice(engine: sa.Engine):
    declare(engine, limit=3)
    for _ in range(10):
        in_line(engine)
    taken = [one for one in at_once(8, lambda _: claim(engine)) if one]
    assert len(taken) == 3
    assert len({one.step_id for one in taken}) == 3
    assert [one.state for one in rows(engine, Step)].count(StepState.RUNNING) == 3


def test_one_waiting_step_is_claimed_by_one_of_eight(engine: sa.Engine):
    declare(engine, limit=100)
    for _ in range(5):
        in_line(engine)
        assert len([one for one in at_once(8, lambda _: claim(engine)) if one]) == 1


def test_threads_never_exceed_the_limit(engine: sa.Engine):
    declare(engine, limit=3)
    for _ in range(8):
        in_line(engine, steps=5)
    slots = threading.BoundedSemaphore(3)
    found = at_once(8, lambda _: claimers.work(engine, slots))
    claimed = [step for steps, _ in found for step in steps]
    assert sum(many for _, many in found) == 0
    assert sorted(claimed) == [step.id for step in rows(engine, Step)]
    assert {step.state for step in rows(engine, Step)} == {StepState.DONE}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_processes_never_exceed_the_limit(engine: sa.Engine):
    declare(engine, limit=2)
    for _ in range(8):
        in_line(engine, steps=5)
    spawn = multiprocessing.get_context("spawn")
    slots, found = spawn.BoundedSemaphore(2), spawn.Queue()
    url = engine.url.render_as_string(hide_password=False)
    workers = [spawn.Process(target=claimers.process, args=(url, 2, slots, found)) for _ in range(3)]
    for worker in workers:
        worker.start()
    results = [found.get(timeout=90) for _ in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
        worker.close()
    found.close()
    assert sum(many for _, many in results) == 0
    assert sorted(step for steps, _ in results for step in steps) == [step.id for step in rows(engine, Step)]


def test_the_sweep_rings_for_as_many_steps_as_could_be_claimed(engine: sa.Engine):
    declare(engine, limit=3)
    assert do(engine, line.callable_steps, NOW) == {}
    job = in_line(engine, steps=5)
    assert do(engine, line.callable_steps, NOW) == {"main": 3}
    assert claim(engine) is not None
    assert do(engine, line.callable_steps, NOW) == {"main": 2}
    set_row(engine, Backend, "main", not_before=NOW + SECOND)
    assert do(engine, line.callable_steps, NOW) == {}
    assert do(engine, line.callable_steps, NOW + SECOND) == {"main": 2}
    # A dead lease holds no slot.
    assert do(engine, line.callable_steps, NOW + MINUTE) == {"main": 3}
    waiting = rows(engine, Step, job_id=job.id, state=StepState.WAITING)
    for step in waiting[1:]:
        set_row(engine, Step, step.id, not_before=NOW + 2 * MINUTE)
    assert do(engine, line.callable_steps, NOW + MINUTE) == {"main": 1}
    do(engine, outcomes.cancel, job.id, NOW)
    assert do(engine, line.callable_steps, NOW + 3 * MINUTE) == {}


def test_a_full_backend_is_not_rung_for(engine: sa.Engine):
    in_line(engine, steps=3)
    assert claim(engine) is not None
    assert claim(engine) is not None
    assert do(engine, line.callable_steps, NOW) == {}
