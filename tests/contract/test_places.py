"""Where jobs stand, as cards tell it: the order of the claims to come, and about how long it takes."""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from db import backends, jobs, leases, line, outcomes, places, preparing, session
from db.jobs import NewStep
from db.models import Backend, Job, Post, Step
from db.places import NOWHERE, Place
from db.states import PostState, StepState
from db.turns import Rank
from tests.fakes import LEASE, NOW, SECOND, a_job, a_step, declare, do, rows, set_row, the

# The jobs that gave the line its history end before those that the tests ask for.
BEFORE = NOW - timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _backend(engine: sa.Engine) -> None:
    declare(engine, limit=1)


def ask(engine: sa.Engine, who: str, *tokens_in: int, rank: Rank = Rank(), now: datetime = NOW) -> str:  # noqa: B008  # A Rank is frozen.
    """A job of somebody with a step for each size; returns its id."""
    job = a_job(requester=who, created_at=now)
    new: list[NewStep] = [a_step(tokens_in=size) for size in tokens_in or (10,)]
    with session.transaction(engine) as transaction:
        assert jobs.add(transaction, job)
        taken = preparing.claim(transaction, job.id, now, LEASE)
        assert taken is not None
        assert preparing.prepared(transaction, job.id, taken.fence, "main", None, new, now, rank)
    return job.id


def answer(engine: sa.Engine, out: int = 10, seconds: float = 10, now: datetime = BEFORE) -> str:
    """The next call is made and answered; returns its job."""
    claimed = do(engine, line.claim, "main", now, timedelta(hours=1))
    assert claimed is not None
    end = now + timedelta(seconds=seconds)
    do(engine, leases.finish, claimed, "yes", claimed.tokens_in, out, False, end)
    return claimed.job_id


def history(engine: sa.Engine, calls: int = 3, out: int = 10, seconds: float = 10) -> None:
    """Calls that were answered before, which tell how long one takes."""
    ask(engine, "BEFORE", *[10] * calls, now=BEFORE)
    for _ in range(calls):
        answer(engine, out, seconds)


def found(engine: sa.Engine, now: datetime = NOW) -> dict[str, Place]:
    with session.reading(engine) as reading:
        return places.of_backend(reading, reading.get_one(Backend, "main"), now)


@contextmanager
def counted(engine: sa.Engine) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    statements: list[str] = []

    def note(_connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield statements
    sa.event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("seed", range(4))
def test_the_places_told_are_the_order_in_which_claims_take_the_steps(engine: sa.Engine, seed: int):
    draw = random.Random(seed)
    history(engine, out=25)
    ranks = {name: Rank(draw.choice([0.5, 1, 2]), draw.choice([1, 1, 1, 0, 2])) for name in "ABCDE"}
    made = []
    for number in range(12):
        if number in {3, 6}:
            # What was served before counts too.
            answer(engine, out=25, now=NOW)
        name = draw.choice("ABCDE")
        sizes = [draw.choice([5, 50, 500]) for _ in range(draw.randint(1, 3))]
        made.append(ask(engine, name, *sizes, rank=ranks[name], now=NOW))
    told = {job: place.ahead for job, place in found(engine).items()}
    taken: list[str] = []
    while rows(engine, Step, state=StepState.WAITING):
        taken.append(answer(engine, out=25, now=NOW))
    real = {job: taken.index(job) for job in made if job in taken}
    assert {job: ahead for job, ahead in told.items() if real[job] <= 10} == {
        job: ahead for job, ahead in real.items() if ahead <= 10
    }
    assert all(told[job] == 15 for job in real if 10 < real[job] <= 15)


def test_answers_are_played_as_long_as_the_latest_ones(engine: sa.Engine):
    history(engine, out=100)
    short = [ask(engine, "A", 10, now=NOW + each * SECOND) for each in range(4)]
    long = [ask(engine, "B", 50, now=NOW + each * SECOND) for each in range(4)]
    told = found(engine)
    # The answers cost so much more that the questions make no difference.
    assert [told[job].ahead for job in short] == [0, 2, 4, 6]
    assert [told[job].ahead for job in long] == [1, 3, 5, 7]


def test_a_turn_with_more_steps_than_are_read_at_once_is_played_to_its_end(engine: sa.Engine):
    many = [ask(engine, "A", *[10] * 80, now=NOW + timedelta(microseconds=each)) for each in range(3)]
    other = ask(engine, "B")
    assert [found(engine)[job].ahead for job in many] == [0, 100, 200]
    assert found(engine)[other].ahead == 1


def test_a_higher_priority_stands_before_everybody_else(engine: sa.Engine):
    normal = ask(engine, "A", 10, 10)
    last = ask(engine, "C", rank=Rank(priority=2))
    first = ask(engine, "B", 10, 10, rank=Rank(priority=0))
    told = found(engine)
    assert [told[job].ahead for job in (first, normal, last)] == [0, 2, 4]


def test_nobody_is_told_a_place_further_back_than_the_line_is_played(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(places, "MOST_AHEAD", 5)
    near = ask(engine, "A", *[10] * 5)
    far = ask(engine, "A", now=NOW + SECOND)
    told = found(engine)
    assert set(told) == {near}
    assert far not in do(engine, places.changed, "main", NOW)
    set_row(engine, Job, far, ahead=3, left_from=60, left_to=120)
    assert do(engine, places.changed, "main", NOW)[far] == NOWHERE


def test_without_history_nobody_can_tell_the_time(engine: sa.Engine):
    job = ask(engine, "A")
    assert found(engine) == {job: Place(0, None, None)}


def test_the_time_is_a_range_around_what_calls_took(engine: sa.Engine):
    history(engine, seconds=100)
    first, second = ask(engine, "A"), ask(engine, "B")
    told = found(engine)
    # One slot is free: the first begins at once, and the second when that has ended.
    assert told[first] == Place(0, 60, 120)
    assert told[second] == Place(1, 120, 300)


def test_a_job_with_several_steps_is_done_when_its_last_is(engine: sa.Engine):
    history(engine, seconds=100)
    job = ask(engine, "A", *[10] * 10)
    place = found(engine)[job]
    assert place.ahead == 0
    assert place.left_from is not None
    assert 600 <= place.left_from <= 1000


def test_more_slots_take_less_time(engine: sa.Engine):
    history(engine, seconds=100)
    job = ask(engine, "A", *[10] * 12)
    one = found(engine)[job]
    declare(engine, limit=4)
    four = found(engine)[job]
    # Four begin at once; eight more are two rounds, and the last takes a round itself: 300 s, and a fifth around.
    assert four == Place(0, 180, 600)
    assert one.left_from == 900


def test_more_than_an_hour_has_no_end(engine: sa.Engine):
    history(engine, seconds=600)
    ask(engine, "A", *[10] * 20)
    last = ask(engine, "A", now=NOW + SECOND)
    assert found(engine)[last] == Place(20, 3600, None)


def test_a_troubled_backend_tells_places_and_no_time(engine: sa.Engine):
    history(engine)
    job = ask(engine, "A")
    assert found(engine)[job].left_to is not None
    do(engine, backends.pause, "main", "busy", NOW, SECOND, timedelta(minutes=1))
    assert found(engine)[job] == Place(0, None, None)


@pytest.mark.parametrize("mean", [0.5, 7.0, 45.0, 400.0])
def test_who_stands_further_back_is_never_told_less(mean: float):
    # Every place in a line of a thousand, without the database.
    told = [places._place(at, at, (mean, mean * 0.3), 3, 1) for at in range(places.MOST_AHEAD)]
    for before, after in itertools.pairwise(told):
        assert before.ahead is not None
        assert after.ahead is not None
        assert before.ahead <= after.ahead
        assert before.left_from is not None
        assert after.left_from is not None
        assert before.left_from <= after.left_from
        assert (before.left_to or 10**6) <= (after.left_to or 10**6)
    for at, place in enumerate(told):
        assert place.ahead is not None
        assert place.ahead >= at
        assert place.left_from is not None
        assert place.left_to is None or place.left_from < place.left_to


def test_only_what_changed_is_written(engine: sa.Engine):
    history(engine)
    first, second = ask(engine, "A"), ask(engine, "B")
    moved = do(engine, places.changed, "main", NOW)
    assert set(moved) == {first, second}
    assert the(engine, Job, first).ahead is None
    do(engine, places.write, moved)
    assert [the(engine, Job, job).ahead for job in (first, second)] == [0, 1]
    assert do(engine, places.changed, "main", NOW) == {}
    assert answer(engine, now=NOW) == first
    moved = do(engine, places.changed, "main", NOW)
    assert set(moved) == {second}
    assert moved[second].ahead == 0
    assert do(engine, places.changed, "other", NOW) == {}


def test_a_place_that_is_written_is_shown_on_the_card(engine: sa.Engine):
    job, other = ask(engine, "A"), ask(engine, "B")
    for post in rows(engine, Post):
        set_row(engine, Post, post.id, state=PostState.SHOWN)
    do(engine, places.write, {job: Place(3, 60, 120)})
    row = the(engine, Job, job)
    assert (row.ahead, row.left_from, row.left_to) == (3, 60, 120)
    assert [post.state for post in rows(engine, Post, job_id=job)] == [PostState.WANTED]
    assert [post.state for post in rows(engine, Post, job_id=other)] == [PostState.SHOWN]


def test_a_job_that_ended_meanwhile_is_not_written(engine: sa.Engine):
    job = ask(engine, "A")
    moved = do(engine, places.changed, "main", NOW)
    do(engine, outcomes.cancel, job, NOW)
    [before] = rows(engine, Post, job_id=job)
    do(engine, places.write, moved)
    assert the(engine, Job, job).ahead is None
    [after] = rows(engine, Post, job_id=job)
    assert after.revision == before.revision


def test_a_job_that_somebody_holds_is_left_for_the_next_time(postgres_engine: sa.Engine):
    engine = postgres_engine
    declare(engine, limit=1)
    held, free = ask(engine, "A"), ask(engine, "B")
    moved = do(engine, places.changed, "main", NOW)
    with session.transaction(engine) as holding:
        holding.get_one(Job, held, with_for_update=True)
        do(engine, places.write, moved)
    assert (the(engine, Job, held).ahead, the(engine, Job, free).ahead) == (None, 1)
    assert set(do(engine, places.changed, "main", NOW)) == {held}


def test_a_flood_is_not_read_to_its_end(engine: sa.Engine):
    # One person with three thousand steps: a thousand are played, fifty at a time.
    ask(engine, "FLOOD", *[10] * 3000)
    with session.reading(engine) as reading, counted(engine) as statements:
        places.changed(reading, "main", NOW)
    assert len(statements) <= places.MOST_AHEAD / 50 + 10


def test_a_flood_beside_others_costs_as_many_questions_as_there_are_people(engine: sa.Engine):
    declare(engine, limit=1)
    ask(engine, "FLOOD", *[10] * 500)
    others = [ask(engine, f"U{number}") for number in range(20)]
    with session.reading(engine) as reading, counted(engine) as statements:
        moved = places.changed(reading, "main", NOW)
    assert len(statements) <= 500 / 50 + 20 + 10
    assert all(moved[job].ahead is not None for job in others)
