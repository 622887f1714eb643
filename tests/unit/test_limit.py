"""The limit that learns: against simulated servers the aims of the design, and rule by rule."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.calls import Answered as Call
from tasks.infer import limit
from tasks.infer.evidence import Evidence
from tasks.infer.gauges import Gauges
from tasks.infer.limit import Limit, Seen
from tests.unit import gpu_sim as sim

START, END = 120.0, 600.0


@pytest.mark.parametrize(
    ("profile", "levels", "share"),
    [
        ("fragile", [5, 6], 0.95),
        ("fragile, all fall", [5, 6], 0.94),
        ("vllm", [32, 36, 40], 0.95),
        ("vllm with gauges", [32, 36, 40], 0.96),
        ("llamacpp", [4, 8], 0.97),
        ("llamacpp, no gauges", [4, 8], 0.96),
        ("ollama", [2, 4], 0.95),
        ("remote, 8 at once", [7, 8], 0.96),
    ],
)
def test_throughput_is_within_a_few_percent_of_the_best_fixed_limit(
    profile: str, levels: list[int], share: float
) -> None:
    shape = sim.PROFILES[profile]
    for seed in (1, 2):
        _, best = sim.best_of(sim.fixed(shape, seed, START, END, levels))
        outcome = sim.Simulation(shape, None, seed).run(END)
        assert outcome.rate(START, END) >= share * best
        assert outcome.refused(60, END) <= 0.01


def test_a_rate_by_minute_is_kept_to_with_few_refusals() -> None:
    shape = sim.PROFILES["remote, by minute"]
    _, best = sim.best_of(sim.fixed(shape, 1, START, END, [4, 5, 6, 7]), most_refused=0.01)
    outcome = sim.Simulation(shape, None, 1).run(END)
    assert outcome.rate(START, END) >= 0.9 * best
    assert outcome.refused(60, END) <= 0.01


def test_a_wide_server_is_filled_within_two_minutes() -> None:
    outcome = sim.Simulation(sim.PROFILES["wide"], None, 1).run(130)
    assert outcome.level(60) >= 16
    assert outcome.level(120) >= 64


def test_short_calls_teach_as_well() -> None:
    shape = sim.PROFILES["short calls"]
    _, best = sim.best_of(sim.fixed(shape, 1, 60, 120, [16]))
    assert sim.Simulation(shape, None, 1).run(120).rate(60, 120) >= 0.95 * best


def test_long_calls_teach_as_well_in_their_own_time() -> None:
    shape = sim.PROFILES["long calls"]
    _, best = sim.best_of(sim.fixed(shape, 1, 300, 1800, [8]))
    outcome = sim.Simulation(shape, None, 1).run(1800)
    assert outcome.rate(300, 1800) >= 0.94 * best
    assert outcome.refused(60, 1800) <= 0.01


@pytest.mark.parametrize("together", [False, True])
def test_a_fragile_server_that_shrinks_and_grows_is_followed(together: bool) -> None:
    six, three, eight = (replace(sim.FRAGILE, breaks_above=n, together=together) for n in (6, 3, 8))
    outcome = sim.Simulation(six, None, 1, changes=[(200, three), (400, eight)]).run(1100)
    assert outcome.level(199) in {5, 6}
    assert outcome.level(260) <= 3
    assert outcome.rate(260, 400) >= 0.85 * sim.Simulation(three, 3, 1).run(400).rate(260, 400)
    assert outcome.rate(900, 1100) >= 0.9 * sim.Simulation(eight, 8, 1).run(1100).rate(900, 1100)
    assert outcome.refused(60, 1100) <= 0.015


def test_slots_added_while_running_are_found() -> None:
    eight = replace(sim.LLAMACPP, slots=8)
    outcome = sim.Simulation(sim.LLAMACPP, None, 1, changes=[(200, eight)]).run(600)
    assert outcome.level(199) <= 8
    assert outcome.rate(400, 600) >= 0.95 * sim.Simulation(eight, 8, 1).run(600).rate(400, 600)


def test_a_line_that_is_empty_half_the_time_teaches_as_well() -> None:
    def has_work(now: float) -> bool:
        return now % 40 < 20

    outcome = sim.Simulation(sim.FRAGILE, None, 1, has_work=has_work).run(600)
    best = sim.Simulation(sim.FRAGILE, 6, 1, has_work=has_work).run(600)
    assert outcome.rate(240, 600) >= 0.93 * best.rate(240, 600)
    assert outcome.refused(60, 600) <= 0.01


# Rule by rule.


def known(level: int, calls: int = 100, seconds: float = 2.0) -> Evidence:
    evidence = Evidence()
    for _ in range(calls):
        evidence = evidence.and_call(Call(0, 100, seconds, level))
    return evidence


def looks(state: Limit, seconds: int, start: float = 1000.0, **seen) -> Limit:
    """Looks once a second at a full server whose calls all take 2 s, unless `seen` says otherwise."""
    for second in range(seconds):
        given = {"in_flight": state.level, "waiting": True} | seen
        if "calls" not in given:
            given["calls"] = [Call(0, 100, 2.0, state.level)] * max(1, state.level // 2)
        state = limit.looked(state, Seen(now=start + second, **given))
    return state


def test_it_starts_low_and_grows_by_doubling_while_calls_stay_as_quick() -> None:
    assert Limit().level == 2
    assert looks(Limit(), 60).level >= 32


def test_it_holds_when_nobody_waits() -> None:
    state = Limit(level=8, best=8)
    assert looks(state, 300, waiting=False).level == 8


def test_it_holds_when_slots_are_free() -> None:
    state = Limit(level=8, best=8)
    assert looks(state, 300, in_flight=6).level == 8


def test_it_holds_without_answers() -> None:
    assert looks(Limit(level=8, best=8), 300, calls=()).level == 8


def test_it_never_grows_beyond_the_highest() -> None:
    state = Limit(level=1000, best=1000, heard={1000: known(1000)}, call_seconds=2.0)
    for second in range(200):
        calls = [Call(0, 100, 2.0, state.level)] * (state.level // 2)
        state = limit.looked(state, Seen(1000.0 + second, state.level, True, calls))
        assert state.level <= limit.HIGHEST
    assert state.level == limit.HIGHEST


def test_busy_cuts_to_seven_tenths() -> None:
    assert limit.refused(Limit(level=20, best=20), "busy", 20, 100.0, 100.1).level == 14


def test_out_of_memory_halves() -> None:
    assert limit.refused(Limit(level=20, best=20), "out_of_memory", 20, 100.0, 100.1).level == 10


def test_calls_that_fall_together_cut_once() -> None:
    state = Limit(level=16, best=16)
    for number in range(16):
        state = limit.refused(state, "out_of_memory", 16 - number, 100.0 + number / 10, 102.0 + number / 100)
    assert (state.level, state.broke, state.refusals) == (8, 16, 16)


def test_of_calls_refused_together_the_lowest_tells_what_a_busy_server_takes() -> None:
    state = Limit(level=16, best=16)
    for in_flight in (16, 15, 14):
        state = limit.refused(state, "busy", in_flight, 100.0, 100.1)
    assert (state.level, state.best, state.broke) == (11, 13, 14)


def test_a_busy_server_that_drops_all_its_calls_is_not_thought_to_take_none() -> None:
    state = Limit(level=16, best=16)
    for in_flight in range(16, 0, -1):
        state = limit.refused(state, "busy", in_flight, 100.0, 100.1)
    assert (state.level, state.best, state.broke) == (11, 11, 12)


def test_a_call_claimed_after_the_cut_cuts_again() -> None:
    state = limit.refused(Limit(level=16, best=16), "busy", 16, 100.0, 100.1)
    assert limit.refused(state, "busy", 11, 101.0, 101.1).level == 7


def test_it_never_falls_below_one() -> None:
    state = Limit()
    for second in range(10):
        state = limit.refused(state, "out_of_memory", 1, 100.0 + second, 100.5 + second)
        assert state.level == state.best == 1


def test_a_level_that_broke_is_not_tried_before_many_answers() -> None:
    state = limit.refused(Limit(level=6, best=5, heard={5: known(5)}), "busy", 6, 999.0, 999.1)
    highest = []
    for second in range(200):
        state = looks(state, 1, start=1000.0 + second)
        highest.append((state.level, state.answered))
    assert all(level <= 5 for level, answered in highest if answered < 150)
    assert any(level == 6 for level, _ in highest)


def test_a_queue_inside_the_server_steps_down() -> None:
    state = looks(Limit(level=8, best=8), 30, gauges=Gauges(running=4, waiting=4))
    assert state.best <= 4


def test_a_queue_of_a_moment_does_not() -> None:
    state = replace(Limit(level=8, best=8, broke=9, answered=0, refusals=9), heard={6: known(6, seconds=2.0)})
    for second in range(30):
        waiting = 3 if second % 15 == 0 else 0
        state = looks(state, 1, start=1000.0 + second, gauges=Gauges(running=8, waiting=waiting))
    assert state.best == 8


def test_known_slots_are_not_exceeded() -> None:
    assert looks(Limit(), 120, gauges=Gauges(running=4, slots=4)).level <= 4


def test_full_memory_stops_growth() -> None:
    assert looks(Limit(level=8, best=8), 120, gauges=Gauges(memory=0.96)).best <= 8


def test_slower_calls_end_the_growth() -> None:
    state = Limit()
    for second in range(300):
        seconds = 2.0 * max(1.0, state.level / 4)
        calls = [Call(0, 100, seconds, state.level)] * 2
        state = limit.looked(state, Seen(1000.0 + second, state.level, True, calls))
    assert state.best == 4


def test_the_state_survives_its_json() -> None:
    state = looks(Limit(), 45)
    state = limit.refused(state, "busy", state.level, 2000.0, 2000.5)
    assert state.heard
    assert Limit.from_json(json.loads(json.dumps(state.as_json()))) == state


def test_the_json_of_another_version_is_taken() -> None:
    assert Limit.from_json({}) == Limit()
    assert Limit.from_json({"level": 7, "newer": [1], "heard": {"4": [1.0, 2.0]}}) == Limit(7, 7)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["look", "busy", "out_of_memory"]),
            st.integers(0, 40),
            st.booleans(),
            st.lists(
                st.builds(
                    Call,
                    st.integers(0, 10**6),
                    st.integers(0, 10**6),
                    st.floats(0, 10**4),
                    st.integers(0, 2000),
                ),
                max_size=4,
            ),
            st.floats(-5, 100),
        ),
        max_size=60,
    )
)
def test_whatever_is_seen_the_limit_stays_within_its_bounds(steps) -> None:
    state, now = Limit(), 1000.0
    for kind, in_flight, waiting, calls, passed in steps:
        now += passed
        if kind == "look":
            state = limit.looked(state, Seen(now, state.level if waiting else in_flight, waiting, calls))
        else:
            state = limit.refused(state, kind, in_flight, now - 1, now)
        assert 1 <= state.level <= limit.HIGHEST
        assert 1 <= state.best <= limit.HIGHEST
        assert Limit.from_json(json.loads(json.dumps(state.as_json()))) == state
