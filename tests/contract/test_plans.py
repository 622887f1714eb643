"""Plans on both databases: held until their person's word, ended at their deadline, kept with their rows."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from db import jobs, leases, line, outcomes, passages, places, preparing, session, sources, turns
from db.jobs import NewStep
from db.models import Job, Passage, Source, Step, Turn
from db.states import JobState, StepState
from db.turns import Rank
from tests.fakes import LEASE, MINUTE, NOW, SECOND, a_step, accepted, at_once, declare, do, rows, the

PLAN = {"kind": "items", "parts": 3, "items": 60, "calls": 3}


def held(engine: sa.Engine, steps: int = 3, **changes) -> Job:
    """A job whose plan waits for its person's word."""
    job = accepted(engine, **changes)
    taken = do(engine, preparing.claim, job.id, NOW, LEASE)
    new: list[NewStep] = [a_step(items=20) for _ in range(steps)]
    assert do(engine, preparing.prepared, job.id, taken.fence, "main", None, new, NOW, plan=PLAN, held=True)
    return the(engine, Job, job.id)


@pytest.fixture(autouse=True)
def _declared(engine: sa.Engine) -> None:
    declare(engine)


def test_a_held_plan_is_in_nobodys_way(engine: sa.Engine):
    """No turn, no place, no claim, nothing to ring for; but it counts as open."""
    job = held(engine)
    assert (job.state, job.held, job.plan) == (JobState.WAITING, True, PLAN)
    assert {step.state for step in rows(engine, Step)} == {StepState.HELD}
    assert rows(engine, Turn) == []
    with session.transaction(engine) as transaction:
        assert line.claim(transaction, "main", NOW, LEASE) is None
        assert line.adopt(transaction, lambda _: Rank()) == set()
        turns.tidy(transaction)
        assert line.callable_steps(transaction, NOW) == {}
        assert places.changed(transaction, "main", NOW) == {}
        assert jobs.count_open(transaction, job.team, job.requester) == 1


def test_a_word_puts_it_in_line_once(engine: sa.Engine):
    """However often it is pressed, and with a deadline of its own from then on."""
    job = held(engine)
    later = NOW + 50 * MINUTE
    confirmed = at_once(
        4, lambda _: do(engine, jobs.confirm, job.id, 1, later, timedelta(hours=1), Rank(2.0, 0))
    )
    assert len([one for one in confirmed if one is not None]) == 1
    after = the(engine, Job, job.id)
    assert (after.held, after.deadline) == (False, later + timedelta(hours=1))
    [turn] = rows(engine, Turn)
    assert (turn.in_line, turn.weight, turn.priority) == (True, 2.0, 0)
    assert {(step.state, step.turn_id) for step in rows(engine, Step)} == {(StepState.WAITING, turn.id)}
    claimed = do(engine, line.claim, "main", later, LEASE)
    assert (claimed.items, claimed.recipe, claimed.kind) == (20, "summarize", "single")


@pytest.mark.parametrize("way", ["attempt", "cancelled", "not held"])
def test_a_word_for_something_else_changes_nothing(engine: sa.Engine, way: str):
    job = held(engine)
    if way == "cancelled":
        assert do(engine, outcomes.cancel, job.id, NOW)
    if way == "not held":
        assert do(engine, jobs.confirm, job.id, 1, NOW, MINUTE)
    attempt = 2 if way == "attempt" else 1
    before = [step.state for step in rows(engine, Step)]
    assert do(engine, jobs.confirm, job.id, attempt, NOW, MINUTE) is None
    assert [step.state for step in rows(engine, Step)] == before


def test_a_plan_without_a_word_ends_by_its_deadline_and_says_so(engine: sa.Engine):
    """I3: with its own reason; a retry asks again."""
    job = held(engine)
    assert do(engine, outcomes.end_overdue, job.deadline + SECOND) == [job.id]
    after = the(engine, Job, job.id)
    assert (after.state, after.error, after.held) == (JobState.FAILED, "not_confirmed", False)
    assert after.error_params["calls"] == 3
    assert {step.state for step in rows(engine, Step)} == {StepState.CANCELLED}
    again = do(engine, jobs.retry, job.id, 1, NOW, MINUTE)
    assert (again.plan, again.held) == (None, False)


def test_how_long_a_held_plan_would_take_is_told_from_the_latest_calls(engine: sa.Engine):
    declare(engine, limit=1)
    other = held(engine, steps=1)
    do(engine, jobs.confirm, other.id, 1, NOW, MINUTE)
    claimed = do(engine, line.claim, "main", NOW, LEASE)
    do(engine, leases.finish, claimed, "said", 10, 5, False, NOW + 10 * SECOND)
    job = held(engine)
    do(engine, places.estimate, job.id, "main", 3, NOW + 11 * SECOND)
    after = the(engine, Job, job.id)
    assert 10 <= after.left_from <= 40 <= after.left_to


def test_a_jobs_rows_are_kept_replaced_and_go_with_it(engine: sa.Engine):
    """What a person sent goes when their job goes."""
    job = accepted(engine)
    one = {"job_id": job.id, "name": "r.csv", "kind": "csv", "header": ["말"]}
    do(engine, sources.keep, job.id, [Source(**one, ordinal=0, rows=[["하나"], ["=1+1"]])])
    do(
        engine,
        sources.keep,
        job.id,
        [Source(**one, ordinal=0, rows=[["둘"]]), Source(**one, ordinal=1, rows=[])],
    )
    kept = do(engine, sources.of_job, job.id)
    assert [source.rows for source in kept] == [[["둘"]], []]
    do(engine, outcomes.cancel, job.id, NOW)
    do(engine, jobs.delete_older, NOW + SECOND)
    assert rows(engine, Source) == []


def test_passages_are_kept_with_their_vectors_for_their_team_alone(engine: sa.Engine):
    """The same text is found again by its digest and the model's name; those without a number were not read."""
    job, other = accepted(engine), accepted(engine, team="T2")
    fields = {"name": "a.pdf", "text": "글", "model": "m"}
    one = Passage(**fields, job_id=job.id, ordinal=0, page=3, number=1, digest="d0", vector=b"\x00\xff")
    two = Passage(**fields, job_id=job.id, ordinal=1, digest="d1", vector=b"1")
    do(engine, passages.keep, job.id, [one, two])
    do(
        engine,
        passages.keep,
        other.id,
        [Passage(**fields, job_id=other.id, ordinal=0, digest="d2", vector=b"2")],
    )
    assert do(engine, passages.vectors, "T1", "m", ["d0", "d1", "d2"]) == {"d0": b"\x00\xff", "d1": b"1"}
    assert do(engine, passages.vectors, "T1", "another", ["d0"]) == {}
    assert do(engine, passages.vectors, "T1", "m", [f"d{n}" for n in range(2_000)]) == {
        "d0": b"\x00\xff",
        "d1": b"1",
    }
    [given] = do(engine, passages.given, job.id)
    assert (given.page, given.number) == (3, 1)
    do(engine, passages.keep, job.id, [])
    assert do(engine, passages.given, job.id) == []
