"""Only the holder of a claim speaks for its step, and a level is completed once (I6)."""

from typing import Any

import pytest
import sqlalchemy as sa

from db import calls, events, jobs, leases, line, outcomes
from db.models import Job, Post, Step
from db.states import JobState, PostKind, StepState
from tests.fakes import LEASE, MINUTE, NOW, SECOND, a_step, at_once, declare, do, in_line, rows, the

LATER = NOW + LEASE


@pytest.fixture(autouse=True)
def _backend(engine: sa.Engine) -> None:
    declare(engine, limit=8)


def claim(engine: sa.Engine, now=NOW) -> line.Claimed:
    claimed = do(engine, line.claim, "main", now, LEASE)
    assert claimed is not None
    return claimed


def finish(engine: sa.Engine, claimed: line.Claimed, answer: str = "yes", truncated: bool = False):
    return do(engine, leases.finish, claimed, answer, 7, 3, truncated, NOW)


def test_a_renewed_lease_lasts_longer_and_keeps_the_words_so_far(engine: sa.Engine):
    in_line(engine)
    claimed = claim(engine)
    assert do(engine, leases.renew, claimed, "so far", 2, NOW + SECOND, LEASE)
    step = the(engine, Step, claimed.step_id)
    assert (step.answer, step.tokens_out, step.lease_until) == ("so far", 2, NOW + SECOND + LEASE)


@pytest.mark.parametrize("holder", ["waiting again", "another worker"])
def test_whoever_lost_a_step_changes_nothing(engine: sa.Engine, holder: str):
    job = in_line(engine)
    lost = claim(engine)
    do(engine, leases.free_dead, LATER, 3)
    if holder == "another worker":
        assert claim(engine, LATER).step_id == lost.step_id

    def looks() -> tuple:
        step, now_job = the(engine, Step, lost.step_id), the(engine, Job, job.id)
        return (
            step.state,
            step.fence,
            step.lease_until,
            step.answer,
            step.attempts,
            step.claims,
            now_job.state,
        )

    before = looks()
    assert not do(engine, leases.renew, lost, "late", 9, LATER, LEASE)
    assert finish(engine, lost, "late") is None
    assert not do(engine, leases.give_back, lost, LATER, LATER + MINUTE, True)
    assert do(engine, leases.abandon, lost, LATER) is None
    assert looks() == before


def test_a_step_that_is_finished_stays_as_it_is(engine: sa.Engine):
    in_line(engine, steps=2)
    claimed = claim(engine)
    finish(engine, claimed, "first")
    assert finish(engine, claimed, "second") is None
    assert not do(engine, leases.renew, claimed, "third", 1, NOW, LEASE)
    assert not do(engine, leases.give_back, claimed, NOW, NOW, True)
    step = the(engine, Step, claimed.step_id)
    assert (step.state, step.answer, step.tokens_in, step.tokens_out) == (StepState.DONE, "first", 7, 3)


def test_a_step_given_back_is_the_first_in_line_again(engine: sa.Engine):
    first = in_line(engine)
    in_line(engine)
    claimed = claim(engine)
    do(engine, leases.renew, claimed, "half", 5, NOW, LEASE)
    assert do(engine, leases.give_back, claimed, NOW, NOW + SECOND, attempt_used=False)
    step = the(engine, Step, claimed.step_id)
    assert (step.state, step.not_before, step.lease_until) == (StepState.WAITING, NOW + SECOND, None)
    assert (step.answer, step.tokens_out, step.attempts, step.claims) == ("", 0, 0, 0)
    assert the(engine, Job, first.id).state is JobState.WAITING
    again = claim(engine, NOW + SECOND)
    assert (again.job_id, again.fence, again.attempts) == (first.id, 2, 0)


def test_an_attempt_is_used_only_when_the_caller_says_so(engine: sa.Engine):
    in_line(engine)
    for used in (False, True, True):
        do(engine, leases.give_back, claim(engine), NOW, NOW, attempt_used=used)
    assert claim(engine).attempts == 2


def test_a_job_runs_as_long_as_one_of_its_steps_does(engine: sa.Engine):
    job = in_line(engine, steps=2)
    first, second = claim(engine), claim(engine)
    do(engine, leases.give_back, first, NOW, NOW, attempt_used=False)
    assert the(engine, Job, job.id).state is JobState.RUNNING
    do(engine, leases.give_back, second, NOW, NOW, attempt_used=False)
    assert the(engine, Job, job.id).state is JobState.WAITING


def test_the_last_answer_of_a_level_brings_all_of_them_in_order(engine: sa.Engine):
    job = in_line(engine, steps=3)
    one, two, three = claim(engine), claim(engine), claim(engine)
    assert finish(engine, three, "c", truncated=True) is None
    assert finish(engine, one, "a") is None
    assert do(engine, calls.progress, the(engine, Job, job.id)) == (2, 3)
    done = finish(engine, two, "b")
    assert done is not None
    assert (done.job.id, done.level, list(done.answers), done.truncated) == (job.id, 0, ["a", "b", "c"], True)


def test_a_level_counts_for_itself(engine: sa.Engine):
    job = in_line(engine)
    finish(engine, claim(engine), "a", truncated=True)
    do(engine, lambda s: jobs.add_steps(s, s.get_one(Job, job.id), "main", 1, [a_step(kind="reduce")], NOW))
    done = finish(engine, claim(engine), "b")
    assert done is not None
    assert (done.level, list(done.answers), done.truncated) == (1, ["b"], False)
    assert do(engine, calls.progress, the(engine, Job, job.id)) == (2, 2)


@pytest.mark.parametrize("steps", [2, 4])
def test_of_the_last_steps_of_a_level_exactly_one_sees_it_complete(engine: sa.Engine, steps: int):
    for _ in range(8):
        in_line(engine, steps=steps)
        claimed = [claim(engine) for _ in range(steps)]
        seen = at_once(steps, lambda number, held=claimed: finish(engine, held[number], str(number)))
        [done] = [one for one in seen if one]
        assert list(done.answers) == [str(number) for number in range(steps)]


@pytest.mark.parametrize("end", ["cancel", "fail"])
def test_a_running_step_of_an_ended_job_is_stopped_and_frees_its_slot(engine: sa.Engine, end: str):
    declare(engine, limit=1)
    job = in_line(engine, steps=2)
    claimed = claim(engine)
    if end == "cancel":
        assert do(engine, outcomes.cancel, job.id, NOW)
    else:
        do(engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, NOW))
    # The slot is taken until the stream is closed.
    in_line(engine)
    assert do(engine, line.claim, "main", NOW, LEASE) is None
    assert not do(engine, leases.renew, claimed, "more", 1, NOW, LEASE)
    assert do(engine, leases.give_back, claimed, NOW, NOW, attempt_used=False)
    assert {step.state for step in rows(engine, Step, job_id=job.id)} == {StepState.CANCELLED}
    assert do(engine, line.claim, "main", NOW, LEASE) is not None


def test_an_answer_that_comes_after_the_end_is_dropped(engine: sa.Engine):
    job = in_line(engine)
    claimed = claim(engine)
    do(engine, outcomes.cancel, job.id, NOW)
    assert finish(engine, claimed) is None
    assert the(engine, Step, claimed.step_id).state is StepState.CANCELLED
    assert the(engine, Job, job.id).state is JobState.CANCELLED
    assert the(engine, Job, job.id).result is None


def test_cancelling_races_with_the_last_answer_and_one_of_them_wins(engine: sa.Engine):
    for _ in range(8):
        job = in_line(engine)
        claimed = claim(engine)

        def end(number: int, claimed=claimed, job_id=job.id) -> bool:
            if number:
                return do(engine, outcomes.cancel, job_id, NOW)

            def answer(session: sa.orm.Session) -> bool:
                done = leases.finish(session, claimed, "yes", 1, 1, truncated=False, now=NOW)
                if done:
                    outcomes.answer(session, done.job, "yes", truncated=False, now=NOW)
                return done is not None

            return do(engine, answer)

        answered, cancelled = at_once(2, end)
        assert answered != cancelled
        state = the(engine, Job, job.id).state
        assert state is (JobState.ANSWERED if answered else JobState.CANCELLED)


def test_an_abandoned_step_leaves_its_job_to_be_ended(engine: sa.Engine):
    job = in_line(engine)
    claimed = claim(engine)
    left = do(engine, leases.abandon, claimed, NOW)
    assert left is not None
    assert left.id == job.id
    assert the(engine, Step, claimed.step_id).state is StepState.CANCELLED
    in_line(engine)
    second = claim(engine)
    do(engine, outcomes.cancel, second.job_id, NOW)
    assert do(engine, leases.abandon, second, NOW) is None


def test_dead_leases_go_back_in_line_and_live_ones_stay(engine: sa.Engine):
    dead_job, live_job = in_line(engine), in_line(engine)
    dead, live = claim(engine), claim(engine)
    do(engine, leases.renew, live, "", 0, NOW + SECOND, LEASE)
    assert do(engine, leases.free_dead, LATER - SECOND, 3) == []
    assert do(engine, leases.free_dead, LATER, 3) == ["main"]
    assert do(engine, leases.free_dead, LATER, 3) == []
    assert the(engine, Step, dead.step_id).state is StepState.WAITING
    assert the(engine, Step, live.step_id).state is StepState.RUNNING
    assert the(engine, Job, dead_job.id).state is JobState.WAITING
    assert the(engine, Job, live_job.id).state is JobState.RUNNING
    assert do(engine, events.of_job, dead_job.id)[-1].name == "lease lost"


def test_three_dead_claims_of_a_step_end_its_job(engine: sa.Engine):
    job = in_line(engine)
    now = NOW
    for _ in range(3):
        assert the(engine, Job, job.id).state is JobState.WAITING
        claim(engine, now)
        now += LEASE
        do(engine, leases.free_dead, now, 3)
    after = the(engine, Job, job.id)
    assert (after.state, after.error) == (JobState.FAILED, "bug")
    assert [post.kind for post in rows(engine, Post)] == [PostKind.CARD, PostKind.FAILURE]


def test_who_only_stood_beside_a_job_that_kills_its_worker_is_answered(engine: sa.Engine):
    """All calls of a worker die together; on their last claims they run one after the other, at all backends."""
    declare(engine, 8, "other")
    killer, *others = [in_line(engine) for _ in range(3)]
    assert do(engine, line.move, "main", "other", [killer.recipe], 8192, NOW) == 3
    do(engine, line.adopt, lambda *_: jobs.NORMAL)
    others += [in_line(engine) for _ in range(3)]
    now = NOW

    def all_that_can_be() -> list[line.Claimed]:
        found = (do(engine, line.claim, name, now, LEASE) for name in 4 * ("main", "other"))
        return [claimed for claimed in found if claimed is not None]

    for _ in range(2):
        assert len(all_that_can_be()) == 6
        now += LEASE
        do(engine, leases.free_dead, now, 3)
    for _ in range(6):
        do(engine, leases.free_dead, now, 3)
        [alone] = all_that_can_be()
        assert all_that_can_be() == []
        if alone.job_id == killer.id:
            now += LEASE
        else:
            finish(engine, alone)
    do(engine, leases.free_dead, now, 3)
    assert the(engine, Job, killer.id).error == "bug"
    assert {the(engine, Job, job.id).state for job in others} == {JobState.RUNNING}
    assert {step.state for step in rows(engine, Step) if step.job_id != killer.id} == {StepState.DONE}


def test_an_ended_job_does_not_wait_for_the_last_claim_of_another(engine: sa.Engine):
    """Its step is cleared away though another one is out."""
    first, second = in_line(engine), in_line(engine)
    now = NOW
    for _ in range(2):
        claim(engine, now), claim(engine, now)
        now += LEASE
        do(engine, leases.free_dead, now, 3)
    steps = {step.job_id: step.state for step in rows(engine, Step)}
    waits = next(job for job in (first, second) if steps[job.id] is StepState.RUNNING)
    do(engine, outcomes.cancel, waits.id, now)
    do(engine, leases.free_dead, now, 3)
    assert [step.state for step in rows(engine, Step, job_id=waits.id)] == [StepState.CANCELLED]


def test_the_look_for_last_claims_goes_by_an_index(engine: sa.Engine):
    """However many steps wait beside them."""
    in_line(engine)
    now = NOW
    asked: list[tuple[str, Any]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
    for _ in range(2):
        claim(engine, now)
        now += LEASE
        do(engine, leases.free_dead, now, 3)
    looks = [(sql, values) for sql, values in asked if sql.startswith("SELECT EXISTS") and "claims" in sql]
    sqlite = engine.dialect.name == "sqlite"
    plans = []
    with engine.connect() as connection:
        if not sqlite:
            # Tables this small are read whole unless that is forbidden; then it shows whether an index would do.
            connection.exec_driver_sql("SET enable_seqscan = off")
        for sql, values in looks:
            explained = connection.exec_driver_sql(
                ("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + sql, values
            )
            plans.append("\n".join(str(row) for row in explained))
    assert ["steps_in_flight" in plan or "steps_died" in plan for plan in plans] == [True, True]


def test_claims_that_were_given_back_do_not_count_as_dead(engine: sa.Engine):
    job = in_line(engine)
    for _ in range(5):
        do(engine, leases.give_back, claim(engine), NOW, NOW, attempt_used=False)
    claim(engine)
    do(engine, leases.free_dead, LATER, 3)
    assert the(engine, Job, job.id).state is JobState.WAITING


def test_the_dead_lease_of_an_ended_job_is_cleared_away(engine: sa.Engine):
    job = in_line(engine)
    claimed = claim(engine)
    do(engine, outcomes.cancel, job.id, NOW)
    do(engine, leases.free_dead, LATER, 3)
    assert the(engine, Step, claimed.step_id).state is StepState.CANCELLED
