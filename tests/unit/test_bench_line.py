"""The arithmetic of the line's measurement, the trace, and what the page makes of it."""

import pytest

from bench.line import course, fairness, model, page, rounds
from bench.line.play import Outcome, Played
from bench.line.trace import FLOODER, LIGHT, PEOPLE, Answers, Ask, Trace
from playground.model import answers, tokens
from playground.model.shape import Shape

ANSWERS = Answers(70, 36, 180)


def test_jain_is_one_for_equals_and_a_share_for_one_who_has_everything() -> None:
    assert fairness.jain([5, 5, 5, 5]) == 1
    assert fairness.jain([8, 0, 0, 0]) == 0.25


def test_a_percentile_of_waits_is_never_where_somebody_was_not_answered() -> None:
    waits = [1.0, 2.0, 3.0, None]
    assert fairness.percentile(waits, 75) == 3
    assert fairness.percentile(waits, 95) is None


def test_a_course_counts_what_is_under_way() -> None:
    points = course.of([0, 1, 2], [2, 3, 4])
    assert points == [(0, 1), (1, 2), (2, 2), (3, 1), (4, 0)]
    assert [course.at(points, moment) for moment in (-1, 0, 1.5, 3.5, 9)] == [0, 1, 2, 1, 0]


def test_slots_are_busy_by_their_share_while_more_is_wanted_than_they_are() -> None:
    wanted = [(0, 5), (10, 2)]
    in_flight = [(0, 2), (4, 1), (6, 2)]
    share, seconds = course.busy(in_flight, wanted, 2, 0, 20)
    assert seconds == 10
    assert share == pytest.approx((2 * 8 + 2) / 20)


def test_a_thinned_course_keeps_its_peaks() -> None:
    assert course.thinned([(0, 1), (4.1, 9), (4.2, 1)], 0, 10, places=2) == [[0, 9], [5, 1]]


def test_tokens_of_a_call_under_way_count_as_far_as_it_is() -> None:
    spans = [("a", 0, 10, 100, 50), ("b", 0, 4, 10, 20), ("b", 6, 8, 10, 20)]
    assert fairness.served(spans, 5) == {"a": 125, "b": 30}


def test_everybody_is_backlogged_until_the_first_persons_last_call_begins() -> None:
    spans = [("a", 0, 1, 1, 1), ("b", 0, 1, 1, 1), ("b", 3, 4, 1, 1), ("a", 5, 6, 1, 1)]
    assert fairness.first_without(spans, 2) == 3
    assert fairness.first_without(spans, 3) == 6


def test_a_seed_draws_the_same_trace_and_a_flood_only_adds_to_it() -> None:
    calm = Trace(7, ANSWERS).calm(4, 60)
    trace = Trace(7, ANSWERS)
    assert trace.calm(4, 60) == calm
    flood = trace.flooded(calm, 4, 60)
    assert [ask for ask in flood if ask.person != FLOODER] == calm
    assert sum(ask.person == FLOODER for ask in flood) == 96
    assert len({ask.number for ask in flood}) == len(flood)
    assert all(36 <= ask.tokens_out <= 180 for ask in flood)
    assert {ask.person for ask in calm} <= set(LIGHT)


def test_everybody_has_the_same_backlog() -> None:
    asks = Trace(7, ANSWERS).backlogged(3)
    assert all(sum(ask.person == person for ask in asks) == 3 for person in PEOPLE)


def test_the_stand_in_answers_as_long_as_the_trace_says_through_threadlines_own_prompt() -> None:
    asked = model.body(Ask(1, 0.0, "light-01", 40, 123))
    text = answers.write(Shape(answer="asked"), asked["messages"], asked["max_tokens"])
    assert tokens.count(text) == 123


def test_the_best_number_is_the_smallest_good_one_that_is_not_refused() -> None:
    def tried(calls: int, rate: float, refused: float = 0) -> dict:
        return {
            "calls": calls,
            "tokens_per_second": rate,
            "calls_per_second": rate / 80,
            "call_seconds": {},
            "refused_share": refused,
        }

    sweep = [tried(4, 150), tried(6, 230), tried(8, 231), tried(12, 260, 0.4)]
    assert rounds.best_of(sweep).calls == 6


def test_the_servers_record_is_read_by_person() -> None:
    call = {
        "user": model.opaque("light-01"),
        "arrived": 1.0,
        "started": 2.0,
        "ended": None,
        "tokens_in": 10,
        "tokens_out": 20,
        "state": "running",
    }
    refused = {**call, "started": None, "ended": 1.5, "state": "refused"}
    state = {
        "now": 4.0,
        "changes": [[0.0, 0, 0], [1.0, 1, 1]],
        "peak_in_flight": 1,
        "refusals": {"out_of_memory": 1},
        "calls": [call, refused],
    }
    record = model.recorded(state)
    assert record.spans == [("light-01", 2.0, 4.0, 10, 20)]
    assert record.refusals == [1.0]
    assert record.tokens_between(2.0, 3.0) == 10


def test_a_trace_is_told_with_those_who_were_never_answered() -> None:
    asks = [Ask(0, 0.0, "light-01", 10, 20), Ask(1, 1.0, FLOODER, 10, 20)]
    played = Played(100.0, [Outcome(asks[0], 100.0, 103.0), Outcome(asks[1], 101.0, None)])
    record = model.Record([(100.0, 0), (100.5, 1), (103.0, 0)], 1, {"busy": 2}, [101.0, 102.0], [])
    told = rounds.told(played, record, 1, backlog=False)
    assert (told["asked"], told["answered"], told["refused"], told["seconds"]) == (2, 0.5, 2, 3)
    assert (told["p50"], told["p95"], told["light_p95"]) == (3, None, 3)


def test_an_aim_that_nothing_was_measured_for_has_no_row() -> None:
    assert page.aims([]) == []
    case = {"profile": "vllm", "contenders": {"fixed": {"broke": "so"}}, "streams": {}}
    assert page.aims([case]) == []
