"""Whose turn it is, by example (I8): equal shares, weights, newcomers, priorities, and races on PostgreSQL."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from db import backends, jobs, leases, line, outcomes, preparing, session, turns
from db.line import Claimed
from db.models import Job, Step, Turn
from db.states import StepState
from db.turns import AGEING, Rank
from tests.fakes import LEASE, MINUTE, NOW, SECOND, a_job, a_step, at_once, declare, do, rows, set_row

EQUAL = Rank()


@pytest.fixture(autouse=True)
def _backend(engine: sa.Engine) -> None:
    serve(engine, limit=1)


def serve(engine: sa.Engine, limit: int) -> None:
    """Output costs twice what input does."""
    do(engine, backends.declare, [backends.Declared("main", limit, input_weight=1.0, output_weight=2.0)])


def ask(
    engine: sa.Engine, who: str, steps: int = 1, rank: Rank = EQUAL, now: datetime = NOW, tokens_in: int = 10
) -> str:
    """A job of somebody, with its steps in line; returns its id."""
    job = a_job(requester=who, created_at=now)
    new = [a_step(tokens_in=tokens_in) for _ in range(steps)]
    with session.transaction(engine) as transaction:
        assert jobs.add(transaction, job)
        taken = preparing.claim(transaction, job.id, now, LEASE)
        assert taken is not None
        assert preparing.prepared(transaction, job.id, taken.fence, "main", None, new, now, rank)
    return job.id


def claim(engine: sa.Engine, now: datetime = NOW) -> Claimed:
    claimed = do(engine, line.claim, "main", now, LEASE)
    assert claimed is not None
    return claimed


def finish(engine: sa.Engine, claimed: Claimed, out: int = 0, now: datetime = NOW) -> None:
    do(engine, leases.finish, claimed, "yes", claimed.tokens_in, out, False, now)


def who(engine: sa.Engine, claimed: Claimed) -> str:
    with session.reading(engine) as reading:
        return reading.get_one(Job, claimed.job_id).requester


def served(engine: sa.Engine, calls: int, now: datetime = NOW, **out: int) -> list[str]:
    """Who gets the next calls, one after the other, each with an answer as long as `out` says for its person."""
    order = []
    for _ in range(calls):
        claimed = claim(engine, now)
        order.append(who(engine, claimed))
        finish(engine, claimed, out.get(order[-1], 0), now)
    return order


def service(engine: sa.Engine, name: str) -> float:
    [turn] = rows(engine, Turn, requester=name)
    return turn.service


def test_two_people_alternate_however_much_they_asked_for(engine: sa.Engine):
    ask(engine, "A", steps=10)
    ask(engine, "B", steps=3)
    assert served(engine, 8) == ["A", "B", "A", "B", "A", "B", "A", "A"]


def test_twice_the_weight_is_twice_the_tokens(engine: sa.Engine):
    ask(engine, "A", steps=20, rank=Rank(weight=2))
    ask(engine, "B", steps=20)
    order = served(engine, 18)
    assert (order.count("A"), order.count("B")) == (12, 6)


def test_a_flood_holds_up_a_newcomer_by_the_calls_in_flight_and_one_more_at_most(engine: sa.Engine):
    serve(engine, limit=3)
    ask(engine, "FLOOD", steps=100)
    flying = [claim(engine) for _ in range(3)]
    ask(engine, "NEW", now=NOW + SECOND)
    for each in flying:
        finish(engine, each)
    # Newcomers start level, and who stood there before goes first.
    assert served(engine, 4, NOW + SECOND) == ["FLOOD", "NEW", "FLOOD", "FLOOD"]


def test_nobody_saves_up_credit_while_away(engine: sa.Engine):
    ask(engine, "AWAY")
    ask(engine, "HERE", steps=50)
    served(engine, 31)
    ask(engine, "AWAY", steps=20)
    order = served(engine, 10)
    assert order.count("AWAY") == 5


def test_a_newcomer_to_an_empty_line_starts_level_with_who_was_served_most(engine: sa.Engine):
    ask(engine, "OLD", steps=20)
    served(engine, 20)
    ask(engine, "NEW", steps=10)
    ask(engine, "OLD", steps=10)
    order = served(engine, 10)
    assert order.count("OLD") == 5


def test_steps_that_were_cancelled_save_up_no_credit(engine: sa.Engine):
    job = ask(engine, "GONE", steps=2)
    ask(engine, "HERE", steps=60)
    do(engine, outcomes.cancel, job, NOW)
    served(engine, 20)
    ask(engine, "GONE", steps=20)
    ask(engine, "NEW", steps=20)
    order = served(engine, 12)
    assert [order.count(name) for name in ("GONE", "HERE", "NEW")] == [4, 4, 4]


def test_a_long_call_that_fails_in_the_end_brings_no_credit_for_its_time(engine: sa.Engine):
    serve(engine, limit=2)
    ask(engine, "LONG")
    long = claim(engine)
    ask(engine, "HERE", steps=60)
    served(engine, 30)
    do(engine, leases.give_back, long, NOW, NOW, attempt_used=True)
    ask(engine, "LONG", steps=20)
    order = served(engine, 12)
    # One more, for the call that was not answered.
    assert order.count("LONG") <= 7


def test_a_step_given_back_at_once_keeps_its_place_before_others(engine: sa.Engine):
    ask(engine, "FIRST")
    first = claim(engine)
    ask(engine, "SECOND", steps=3)
    do(engine, leases.give_back, first, NOW, NOW, attempt_used=False)
    assert claim(engine).step_id == first.step_id


def test_long_answers_cost_more_than_long_questions(engine: sa.Engine):
    ask(engine, "READS", steps=40, tokens_in=110)
    ask(engine, "WRITES", steps=40, tokens_in=10)
    order = served(engine, 18, WRITES=105)
    # 110 for a call that reads, and 10 + 2 * 105 for one that writes.
    assert (order.count("READS"), order.count("WRITES")) == (12, 6)


def test_words_count_while_they_are_written(engine: sa.Engine):
    serve(engine, limit=3)
    ask(engine, "WRITES", steps=5)
    ask(engine, "READS", steps=5)
    writing = claim(engine)
    assert who(engine, writing) == "WRITES"
    assert do(engine, leases.renew, writing, "so far", 50, NOW, LEASE)
    assert service(engine, "WRITES") == 110
    assert [who(engine, claim(engine)) for _ in range(2)] == ["READS", "READS"]


def test_the_servers_own_count_is_what_is_charged_in_the_end(engine: sa.Engine):
    ask(engine, "A", tokens_in=1000)
    claimed = claim(engine)
    assert service(engine, "A") == 1000
    do(engine, leases.finish, claimed, "yes", 7, 3, False, NOW)
    assert service(engine, "A") == 13


@pytest.mark.parametrize("how", ["given back", "freed"])
def test_a_call_without_an_answer_costs_nothing(engine: sa.Engine, how: str):
    ask(engine, "A", rank=Rank(weight=2))
    claimed = claim(engine)
    assert do(engine, leases.renew, claimed, "half", 50, NOW, LEASE)
    assert service(engine, "A") == 55
    if how == "freed":
        do(engine, leases.free_dead, NOW + MINUTE, 3)
    else:
        do(engine, leases.give_back, claimed, NOW, NOW, attempt_used=True)
    [turn] = rows(engine, Turn)
    assert (turn.service, turn.in_line) == (0, True)
    assert [step.charged for step in rows(engine, Step)] == [0]


def test_a_call_that_its_person_cancelled_keeps_its_price(engine: sa.Engine):
    job = ask(engine, "A")
    claimed = claim(engine)
    do(engine, leases.renew, claimed, "half", 50, NOW, LEASE)
    do(engine, outcomes.cancel, job, NOW)
    finish(engine, claimed, out=500)
    assert service(engine, "A") == 110


def test_priorities_are_strict(engine: sa.Engine):
    ask(engine, "LAST", steps=3, rank=Rank(priority=2))
    ask(engine, "NORMAL", steps=3)
    ask(engine, "FIRST", steps=3, rank=Rank(priority=0))
    assert served(engine, 9) == ["FIRST"] * 3 + ["NORMAL"] * 3 + ["LAST"] * 3


def test_a_priority_passed_over_gets_one_slot_a_minute(engine: sa.Engine):
    ask(engine, "FIRST", steps=50, rank=Rank(priority=0))
    ask(engine, "LAST", steps=50, rank=Rank(priority=2))
    assert served(engine, 3) == ["FIRST"] * 3
    assert served(engine, 3, NOW + AGEING - SECOND) == ["FIRST"] * 3
    assert served(engine, 4, NOW + AGEING) == ["LAST", "FIRST", "FIRST", "FIRST"]
    # The next minute begins when the priority is passed over again, right after its slot.
    assert served(engine, 1, NOW + 2 * AGEING - SECOND) == ["FIRST"]
    assert served(engine, 2, NOW + 2 * AGEING) == ["LAST", "FIRST"]


def test_two_priorities_that_were_passed_over_get_a_slot_each(engine: sa.Engine):
    for priority, name in enumerate(["FIRST", "NORMAL", "LAST"]):
        ask(engine, name, steps=5, rank=Rank(priority=priority))
    assert served(engine, 1) == ["FIRST"]
    assert served(engine, 3, NOW + AGEING) == ["NORMAL", "LAST", "FIRST"]


def test_a_wait_that_was_interrupted_begins_anew(engine: sa.Engine):
    ask(engine, "FIRST", steps=50, rank=Rank(priority=0))
    job = ask(engine, "LAST", rank=Rank(priority=2))
    served(engine, 1)
    do(engine, outcomes.cancel, job, NOW)
    served(engine, 1, NOW + SECOND)
    ask(engine, "LAST", rank=Rank(priority=2))
    assert served(engine, 1, NOW + AGEING) == ["FIRST"]


def test_a_look_at_a_full_backend_does_not_use_up_the_slot_that_a_wait_has_earned(engine: sa.Engine):
    ask(engine, "FIRST", steps=50, rank=Rank(priority=0))
    ask(engine, "LAST", rank=Rank(priority=2))
    served(engine, 1)
    now = NOW + AGEING
    flying = claim(engine, NOW + AGEING - SECOND)
    for _ in range(2):
        assert do(engine, line.claim, "main", now, LEASE) is None
    finish(engine, flying)
    assert served(engine, 1, now) == ["LAST"]


def test_jobs_of_one_person_go_in_the_order_asked_and_a_new_level_before_the_next_job(engine: sa.Engine):
    first = ask(engine, "A", steps=2)
    second = ask(engine, "A", steps=2, now=NOW + SECOND)
    later = NOW + MINUTE
    for _ in range(2):
        claimed = claim(engine, later)
        assert claimed.job_id == first
        finish(engine, claimed)
    do(engine, lambda s: jobs.add_steps(s, s.get_one(Job, first), "main", 1, [a_step()], later))
    taken = []
    for _ in range(3):
        claimed = claim(engine, later)
        taken.append(claimed.job_id)
        finish(engine, claimed)
    assert taken == [first, second, second]


def test_the_order_asked_counts_and_not_the_order_prepared(engine: sa.Engine):
    ask(engine, "A", now=NOW + SECOND)
    first = ask(engine, "A", now=NOW)
    assert claim(engine, NOW + SECOND).job_id == first


def test_a_step_that_is_not_due_lets_its_persons_next_pass_and_then_others(engine: sa.Engine):
    first = ask(engine, "A")
    second = ask(engine, "A", now=NOW + SECOND)
    ask(engine, "B", now=NOW + SECOND)
    now = NOW + MINUTE
    [step] = rows(engine, Step, job_id=first)
    set_row(engine, Step, step.id, not_before=now + MINUTE)
    claimed = claim(engine, now)
    assert claimed.job_id == second
    finish(engine, claimed)
    assert served(engine, 1, now) == ["B"]
    assert do(engine, line.claim, "main", now, LEASE) is None
    [turn] = rows(engine, Turn, requester="A")
    assert turn.in_line
    assert served(engine, 1, now + MINUTE) == ["A"]


def test_whoever_has_nothing_waiting_is_out_of_line(engine: sa.Engine):
    job = ask(engine, "A", steps=3)
    assert served(engine, 1) == ["A"]
    do(engine, turns.tidy)
    assert [turn.in_line for turn in rows(engine, Turn)] == [True]
    do(engine, outcomes.cancel, job, NOW)
    do(engine, turns.tidy)
    assert [turn.in_line for turn in rows(engine, Turn)] == [False]
    ask(engine, "A")
    claim(engine)
    assert [turn.in_line for turn in rows(engine, Turn)] == [False]


def test_a_step_that_moves_stands_level_in_the_other_line_and_keeps_its_order(engine: sa.Engine):
    declare(engine, 1, name="other")
    second = ask(engine, "A", now=NOW + SECOND)
    first = ask(engine, "A", steps=2)
    ask(engine, "B", now=NOW + SECOND)
    assert do(engine, line.move, "main", "other", None, 1000, NOW) == 4
    assert do(engine, line.claim, "other", NOW, LEASE) is None
    assert do(engine, line.adopt, lambda *_: Rank(weight=2)) == {"other"}
    assert do(engine, line.adopt, lambda *_: EQUAL) == set()
    do(engine, turns.tidy)
    assert [(turn.backend, turn.in_line, turn.weight) for turn in rows(engine, Turn)] == [
        ("main", False, 1),
        ("main", False, 1),
        ("other", True, 2),
        ("other", True, 2),
    ]
    taken = []
    for _ in range(4):
        claimed = do(engine, line.claim, "other", NOW, LEASE)
        assert claimed is not None
        taken.append(claimed.job_id)
        finish(engine, claimed)
    assert [job for job in taken if job in {first, second}] == [first, first, second]
    assert taken[1] not in {first, second}


def out_of_line(engine: sa.Engine) -> int:
    """How many steps wait where no claim looks."""
    lost = sa.select(sa.func.count()).select_from(Step).join(Turn, Turn.id == Step.turn_id)
    with engine.connect() as connection:
        return connection.scalar(lost.where(Step.state == StepState.WAITING, ~Turn.in_line)) or 0


def test_whoever_joins_while_their_last_step_is_claimed_stays_in_line(engine: sa.Engine):
    serve(engine, limit=1000)
    ask(engine, "A")
    for _ in range(40 if engine.dialect.name == "postgresql" else 5):
        at_once(3, lambda number: do(engine, line.claim, "main", NOW, LEASE) if number else ask(engine, "A"))
        assert out_of_line(engine) == 0
        while do(engine, line.claim, "main", NOW, LEASE):
            pass
        assert rows(engine, Step, state=StepState.WAITING) == []
        ask(engine, "A")


def test_tidying_up_leaves_whoever_joins_meanwhile_in_line(engine: sa.Engine):
    serve(engine, limit=1000)
    for _ in range(40 if engine.dialect.name == "postgresql" else 5):
        job = ask(engine, "A")
        do(engine, outcomes.cancel, job, NOW)
        at_once(3, lambda number: do(engine, turns.tidy) if number else ask(engine, "A"))
        assert out_of_line(engine) == 0
        assert claim(engine).job_id != job
        do(engine, turns.tidy)


def test_a_claim_waits_for_a_join_that_has_begun(postgres_engine: sa.Engine):
    """The same race, with each at the worst moment for the other."""
    engine = postgres_engine
    serve(engine, limit=10)
    ask(engine, "A")
    job = a_job(requester="A")
    with session.transaction(engine) as joining:
        jobs.add(joining, job)
        taken = preparing.claim(joining, job.id, NOW, LEASE)
        assert taken is not None
        assert preparing.prepared(joining, job.id, taken.fence, "main", None, [a_step()], NOW)
        joining.flush()
        with session.transaction(engine) as looking:
            looking.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
            with pytest.raises(sa.exc.OperationalError):
                line.claim(looking, "main", NOW, LEASE)
            looking.rollback()
    assert claim(engine)
    assert out_of_line(engine) == 0
    assert claim(engine).job_id == job.id


def test_two_first_requests_of_a_person_make_one_turn(engine: sa.Engine):
    made = at_once(4, lambda _: ask(engine, "A"))
    assert len(set(made)) == 4
    [turn] = rows(engine, Turn)
    assert {step.turn_id for step in rows(engine, Step)} == {turn.id}


def test_workers_at_once_keep_the_counters_exact(engine: sa.Engine):
    serve(engine, limit=4)
    for name in "AB":
        ask(engine, name, steps=12)

    def work(_: int) -> int:
        done = 0
        while claimed := do(engine, line.claim, "main", NOW, timedelta(hours=1)):
            do(engine, leases.renew, claimed, "so far", 5, NOW, timedelta(hours=1))
            finish(engine, claimed, out=10)
            done += 1
        return done

    assert sum(at_once(4, work)) == 24
    assert [turn.service for turn in rows(engine, Turn)] == [12 * 30, 12 * 30]
    assert not any(turn.in_line for turn in rows(engine, Turn))
