"""The limit that learns (LLM_LIMIT=auto): how many calls a model server is given at once.

Nobody knows a server's best number of calls beforehand, and it changes while running. So every answered call is
evidence. By Little's law a server with n calls in flight does `n * work / seconds` of work a second, summed over
the calls that ran at n; that says after a handful of calls what counting answers says after hundreds, and, as
`seconds` include the time spent queueing inside the server, it also sees queues that have no gauge.

From a low start the limit goes to a neighbouring level, twice as high at first, gathers evidence there, and stays
if throughput rose by more than the higher level must earn; if not it comes back and tries a nearer one, higher
and lower in turn, ever more rarely. A level that was refused is not tried again before enough calls were
answered since to keep refusals far below 1 %.

The ideas: Vegas (Brakmo et al., SIGCOMM 1994) and Netflix's concurrency-limits for reading queues from delay,
BBR (Cardwell et al., ACM Queue 2016) for probing around the best known rate and going back.

Pure: no clock, no input or output; the same looks give the same limit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from db.calls import Answered
from tasks.infer.evidence import Evidence, work
from tasks.infer.gauges import Gauges

START = 2
HIGHEST = 1024

# What a higher level must earn: each doubling this much throughput (as a power: 2 ** 0.04 is 2.8 %).
_WORTH = 0.04

_FORGET = 180.0  # seconds in which evidence loses half its weight, where calls are short
_STRIDES = (1.25, 1.5, 2.0)  # how far to go for the next level, as a ratio

# Answers since the last break, for each refusal of that break, before its level is tried again: 0.7 % at most.
_ANSWERS_PER_REFUSAL = 150

Kind = Literal["busy", "out_of_memory"]


@dataclass(frozen=True)
class Seen:
    """What was observed since the last look. `now`: seconds since the epoch.

    `in_flight`: calls in flight now. `waiting`: whether steps wait that could be claimed if there were a slot;
    False while the backend is paused.
    """

    now: float
    in_flight: int
    waiting: bool
    calls: Sequence[Answered] = ()
    gauges: Gauges | None = None


@dataclass(frozen=True)
class Limit:
    """What is known about a backend. `level` is the limit in force; the rest is why."""

    level: int = START
    best: int = START  # the level to come back to
    phase: Literal["hold", "probe", "recover"] = "hold"
    stride: int = len(_STRIDES) - 1
    fruitless: int = 0  # probes in a row that changed nothing
    heard: Mapping[int, Evidence] = field(default_factory=dict)
    call_seconds: float = 0.0  # how long a call takes, smoothed
    seen_at: float = 0.0
    moved_at: float = 0.0  # when this level came into force
    full_since: float | None = None  # all slots in use, at this level, without a break
    held: float = 0.0  # seconds with all slots in use, at this level
    answers: int = 0  # to calls that ran at this level
    work: float = 0.0  # answered at this level, also by calls from before
    queued: float = 0.0  # calls queueing inside the server, by its gauges, smoothed
    broke: int | None = None  # the level that was refused last
    cut_at: float = 0.0
    refusals: int = 0  # of that break
    answered: int = 0  # since that break
    patience: int = 1  # grows when the same level breaks again

    def as_json(self) -> dict[str, Any]:
        heard = {str(level): list(vars(evidence).values()) for level, evidence in self.heard.items()}
        return {**vars(self), "heard": heard}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Limit":
        """What `as_json` gave, also by an older or a newer version: unknown keys are dropped."""
        known = {"best": stored.get("level", START)} | {
            key: stored[key] for key in cls.__dataclass_fields__ if key in stored
        }
        heard = {
            int(level): Evidence(*sums)
            for level, sums in known.get("heard", {}).items()
            if len(sums) == len(Evidence.__dataclass_fields__)
        }
        return cls(**{**known, "heard": heard})


def looked(state: Limit, seen: Seen) -> Limit:
    """The limit after a look, to be taken about once a second. Grows only while the line waits for slots."""
    was = state
    state = _take_in(state, seen)
    if state.phase == "recover" and seen.waiting and seen.in_flight >= state.level - state.level // 8:
        return _recover(state)
    if not _full(state, seen):
        return replace(state, full_since=None)
    if was.full_since is None:
        return replace(state, full_since=seen.now)
    if _queues_inside(state) and state.held >= 4:
        return _step_down(state)
    if state.phase == "probe":
        return _judge(state)
    return _probe(state, seen.gauges)


def refused(state: Limit, kind: Kind, in_flight: int, claimed_at: float, now: float) -> Limit:
    """The limit after a call was refused for want of room: 0.7 of what broke, half when memory ran out.

    `in_flight`: calls in flight when the refusal came, itself included. `claimed_at` (of the refused call) and
    `now`: seconds since the epoch. Calls claimed before the last cut fell with it and do not cut again.
    """
    in_flight = max(1, in_flight)
    if claimed_at <= state.cut_at and state.broke is not None:
        # A busy server refuses what comes on top of what it can take, so the lowest count is the level that
        # broke, unless all fell; one out of memory may drop all its calls, so it is the highest.
        lowest = max(state.level + 1, min(state.broke, in_flight))
        broke = lowest if kind == "busy" else max(state.broke, in_flight)
        best = min(state.best, max(state.level, broke - 1))
        return replace(state, broke=broke, best=best, refusals=state.refusals + 1)
    again = state.broke is not None and abs(in_flight - state.broke) <= 1
    best = max(1, min(state.best, in_flight - 1))
    broken_at = min(state.level, in_flight)
    level = broken_at // 2 if kind == "out_of_memory" else int(0.7 * broken_at)
    return replace(
        _at(state, max(1, min(level, best)), "recover"),
        best=best,
        broke=in_flight,
        cut_at=now,
        moved_at=now,
        refusals=1,
        answered=0,
        patience=min(2, state.patience * 2) if again else 1,
        stride=0,
    )


def _take_in(state: Limit, seen: Seen) -> Limit:
    """Count the calls; those that ran at this level with all slots in use are evidence about it."""
    took = state.call_seconds
    for call in seen.calls:
        took = took + 0.1 * (call.seconds - took) if took else call.seconds
    passed = min(5.0, max(0.0, seen.now - state.seen_at))
    state = replace(state, seen_at=seen.now, call_seconds=took, answered=state.answered + len(seen.calls))
    if state.full_since is None or not _full(state, seen):
        return state
    heard = _aged(state.heard, 0.5 ** (passed / max(_FORGET, 15 * took)))
    here = heard.get(state.level, Evidence())
    full_for = seen.now - state.full_since
    # Only calls that began with all slots in use, and only once calls as long as they may have become can be
    # among them: the first to end are short ones, and the first to begin find a short queue.
    settled = full_for >= took * max(1.0, state.level / state.best)
    ran_here = [
        call
        for call in seen.calls
        if settled and call.seconds <= full_for + 1 and call.in_flight >= state.level - state.level // 8
    ]
    for call in ran_here:
        here = here.and_call(call)
    waiting = seen.gauges.waiting if seen.gauges else None
    return replace(
        state,
        heard={**heard, state.level: here},
        held=state.held + passed,
        answers=state.answers + len(ran_here),
        work=state.work + sum(work(call) for call in seen.calls),
        queued=state.queued + 0.3 * ((waiting or 0) - state.queued),
    )


def _aged(heard: Mapping[int, Evidence], weight: float) -> dict[int, Evidence]:
    aged = {level: evidence.times(weight) for level, evidence in heard.items()}
    return {level: evidence for level, evidence in aged.items() if evidence.calls > 0.5}


def _full(state: Limit, seen: Seen) -> bool:
    """Whether the line waits and all slots are in use; a look may fall between two calls on one slot in eight."""
    return seen.waiting and abs(seen.in_flight - state.level) <= state.level // 8


def _queues_inside(state: Limit) -> bool:
    """Whether calls queue inside the server, by its gauges: more than the few that have just come."""
    return state.queued > max(0.5, state.level / 8)


def _step_down(state: Limit) -> Limit:
    """Give the server as many calls fewer as it has queueing."""
    if state.best < state.level:
        return _come_back(state)
    down = max(1, state.level - max(1, round(state.queued)))
    return replace(_go(state, down, "hold", settled=True), stride=0, fruitless=state.fruitless + 1)


def _recover(state: Limit) -> Limit:
    """After a cut: wait a call's length, then go back to the best level, half the way if that is not proven."""
    if state.level >= state.best:
        return replace(state, phase="hold")
    if state.seen_at - state.moved_at < max(2.0, min(10.0, state.call_seconds)):
        return state
    proven = state.best in state.heard
    level = state.best if proven else state.level + max(1, (state.best - state.level) // 2)
    return _at(state, level, "recover")


def _judge(state: Limit) -> Limit:
    """While probing: stay, or come back, as soon as the evidence is clear or has taken long enough."""
    best = state.heard.get(state.best)
    if best is None or not best.known:
        return _come_back(state)
    usual = best.seconds / best.calls
    long = state.held > max(20.0, 8 * usual)
    if _does_harm(state, best):
        return _come_back(state)
    if not long and (state.answers < max(4, state.level) or state.held < 1.5 * usual):
        return state
    gain, error = _gain(state, state.level)
    if not long and abs(gain) < 1.5 * error:
        return state
    # In doubt the smaller level: its calls are quicker.
    if gain < (0.5 if state.level > state.best else -0.5) * error:
        return _come_back(state)
    if state.level < state.best:
        # Fewer calls do as well: the next try is lower still.
        return replace(_go(state, state.level, "hold", settled=True), stride=0, fruitless=2)
    stride = min(len(_STRIDES) - 1, state.stride + 1)
    return replace(_go(state, state.level, "hold", settled=True), stride=stride, fruitless=0)


def _come_back(state: Limit) -> Limit:
    state = replace(state, stride=max(0, state.stride - 1), fruitless=state.fruitless + 1)
    return _go(state, state.best, "hold")


def _does_harm(state: Limit, best: Evidence) -> bool:
    """Whether far less is answered since the probe began than at the best level.

    Where a higher level makes every call very slow, waiting for calls that began there would take too long.
    """
    per_call, usual = best.work / best.calls, best.seconds / best.calls
    awaited = min(state.level, state.best) * state.held / usual  # calls
    if state.held < 1.5 * usual:
        return False
    # 2.5 sigma for lengths that vary as much as their mean, and a fifth for what a probe may cost.
    return state.work / per_call < 0.8 * awaited - 2.5 * math.sqrt(awaited)


def _probe(state: Limit, gauges: Gauges | None) -> Limit:
    """While holding: try a neighbour once in a while, soon as long as that has helped."""
    if state.answers < max(6, state.level) or state.held < state.call_seconds or _queues_inside(state):
        return state
    for level in state.heard:
        if level < state.best and _firmly_better(state, level):
            return _go(state, level, "probe")
    hurry = state.stride > 0 or state.fruitless == 0
    rest = 1.0 if hurry else max(8.0, 4 * state.call_seconds) * min(6, state.fruitless)
    if _beyond_a_break(state) and state.answers < max(20, 4 * state.level):
        return state
    if state.held < rest:
        return state
    up, down = _up(state, gauges), max(1, min(state.best - 1, round(state.best / _STRIDES[0])))
    # A lower level costs throughput to try, a higher one mostly does not: so it is rarer once it is known.
    turns = 3 if down in state.heard else 2
    lower_first = state.fruitless >= 2 and (state.fruitless - 2) % turns == 0
    for level in (down, up) if lower_first else (up, down):
        if level != state.best and not _firmly_worse(state, level):
            return _go(state, level, "probe")
    # Nothing to try; so that a server that has changed is found out, what spoke against it counts less next time.
    heard = {
        level: known if level == state.best else known.times(0.6) for level, known in state.heard.items()
    }
    return replace(
        state, heard=heard, stride=max(0, state.stride - 1), fruitless=state.fruitless + 1, held=0.0
    )


def _beyond_a_break(state: Limit) -> bool:
    """Whether the best level is one that was refused before, and not far above: only small steps from here."""
    return state.broke is not None and state.broke <= state.best < 2 * state.broke


def _up(state: Limit, gauges: Gauges | None) -> int:
    """The next higher level that may be tried, or the present one."""
    stride = 0 if _beyond_a_break(state) else state.stride
    level = max(state.best + 1, round(state.best * _STRIDES[stride]))
    if state.broke is not None and state.best < state.broke:
        earned = state.answered >= _ANSWERS_PER_REFUSAL * state.refusals * state.patience
        level = min(level, state.broke if earned else state.broke - 1)
    # What lies beyond a level that did worse does worse still.
    worse = [known for known in state.heard if known > state.best and _firmly_worse(state, known)]
    if worse:
        level = min(level, max(state.best + 1, (state.best + min(worse)) // 2))
    if gauges is not None and gauges.slots:
        level = min(level, gauges.slots)
    if gauges is not None and gauges.memory:
        # Memory fills with the calls; vLLM preempts some when it is full.
        level = min(level, int(0.95 / gauges.memory * state.level))
    return max(state.best, min(level, HIGHEST))


def _gain(state: Limit, level: int) -> tuple[float, float]:
    """How much better `level` does than the best one, beyond what it must earn, and the error of that.

    Both are logarithms: 0.05 is 5 %. Without evidence the error is infinite.
    """
    here, best = state.heard.get(level), state.heard.get(state.best)
    if here is None or best is None or not here.known or not best.known:
        return 0.0, math.inf
    speeds = math.log(here.work / here.seconds) - math.log(best.work / best.seconds)
    gain = speeds + (1 - _WORTH) * math.log(level / state.best)
    return gain, math.sqrt(here.variance + best.variance)


def _firmly_worse(state: Limit, level: int) -> bool:
    gain, error = _gain(state, level)
    return gain < -2 * error


def _firmly_better(state: Limit, level: int) -> bool:
    gain, error = _gain(state, level)
    return gain > 1.5 * error


def _go(state: Limit, level: int, phase: Literal["hold", "probe"], *, settled: bool = False) -> Limit:
    """Move to `level`; `settled` makes it the best one. Old evidence about a level tried anew counts little."""
    if settled:
        state = replace(state, best=level)
    if phase == "probe" and level in state.heard:
        state = replace(state, heard={**state.heard, level: state.heard[level].times(0.3)})
    return replace(state, phase=phase) if level == state.level else _at(state, level, phase)


def _at(state: Limit, level: int, phase: Literal["hold", "probe", "recover"]) -> Limit:
    return replace(
        state,
        level=level,
        phase=phase,
        full_since=None,
        held=0.0,
        answers=0,
        work=0.0,
        queued=0.0,
        moved_at=state.seen_at,
    )
