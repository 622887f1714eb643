"""The rounds that are played, and what is kept of each."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.line import contenders, course, fairness
from bench.line.model import Record, server
from bench.line.play import Contender, Outcome, Played, play
from bench.line.sizes import GIVE_UP, Size
from bench.line.threadline import Watch
from bench.line.trace import FLOODER, PEOPLE, Ask, Trace
from bench.numbers import percentile

Data = dict[str, Any]
# Numbers of calls whose rates differ by less are as good as each other: the smallest of them is the best.
AS_GOOD = 0.02
# The share of calls that a server may refuse at a number that is called good.
REFUSED = 0.01
# A sweep ends when so many larger numbers were no better.
PAST = 3
# Seconds before its end that do not count: calls are cut off there.
LAST = 0.5
# VTC's weights: a token of an answer costs the server twice a prompt's (Sheng et al., OSDI 2024).
OUTPUT_WEIGHT = 2


@dataclass(frozen=True)
class Best:
    """What a profile can do at its best."""

    calls: int
    calls_per_second: float
    tokens_per_second: float
    call_seconds: dict[str, float]
    sweep: list[Data]


def sweep(profile: str, size: Size, trace: Trace) -> Best:
    """Tries one number of calls in flight after the other for some seconds, until more calls help no more."""
    tried: list[Data] = []
    seconds = size.sweep_warm + size.sweep_seconds
    asks = trace.stream(max(size.sweep) * round(4 + 2 * seconds))
    with server(profile) as model:
        for calls in size.sweep:
            contender = Contender("oracle", model, lambda: contenders.direct(model, calls))  # noqa: B023 - opened at once
            model.begin()
            played = play(contender, asks[: calls * round(4 + 2 * seconds)], seconds)
            rates = _rates(played, model.record(), size.sweep_warm, seconds - LAST)
            tried.append({"calls": calls, **rates})
            if len(tried) > PAST and best_of(tried).calls <= tried[-PAST - 1]["calls"]:
                break
    return best_of(tried)


def best_of(tried: Sequence[Data]) -> Best:
    """The smallest number of calls that is as good as the best of those that the server does not refuse."""
    taken = [one for one in tried if one["refused_share"] <= REFUSED] or tried
    most = max(one["tokens_per_second"] for one in taken)
    best = next(one for one in taken if one["tokens_per_second"] >= (1 - AS_GOOD) * most)
    keys = ("calls", "calls_per_second", "tokens_per_second", "call_seconds")
    return Best(*(best[key] for key in keys), sweep=list(tried))


def asks(trace: Trace, size: Size, best: Best) -> dict[str, list[Ask]]:
    """The traces of one profile, the same for every contender."""
    calm = trace.calm(best.calls_per_second, size.trace)
    flood = trace.flooded(calm, best.calls_per_second, size.trace)
    each = max(size.least_each, round(best.calls_per_second * size.backlog / len(PEOPLE)))
    return {"calm": calm, "flood": flood, "backlog": trace.backlogged(each)}


def run(contender: Contender, kind: str, trace: Sequence[Ask], size: Size, best: Best) -> Data:
    """Plays one trace, to its end."""
    contender.model.begin()
    ideal = max(size.trace, len(trace) / best.calls_per_second)
    played = play(contender, trace, GIVE_UP * ideal)
    record = contender.model.record()
    return told(played, record, best.calls, backlog=kind == "backlog")


def told(played: Played, record: Record, limit: int, *, backlog: bool) -> Data:
    """What is kept of a trace."""
    outcomes = played.outcomes
    light = [one.wait for one in outcomes if one.ask.person != FLOODER]
    waits = [one.wait for one in outcomes]
    share, seconds = course.busy(record.in_flight, _wanted(played), limit, played.begun, played.ended)
    return {
        "asked": len(outcomes),
        "answered": sum(wait is not None for wait in waits) / len(waits),
        "refused": sum(record.refused.values()),
        "refused_as": record.refused,
        "seconds": round(played.ended - played.begun, 2),
        "p50": _rounded(fairness.percentile(waits, 50)),
        "p95": _rounded(fairness.percentile(waits, 95)),
        "light_p50": _rounded(fairness.percentile(light, 50)),
        "light_p95": _rounded(fairness.percentile(light, 95)),
        "light_waits": [_rounded(wait) for wait in light],
        "peak": record.peak,
        "busy": round(share, 4),
        "busy_seconds": round(seconds, 1),
        "in_flight": course.thinned(record.in_flight, played.begun, max(played.ended, played.begun + 1)),
        **(_fairness(outcomes, record) if backlog else {}),
    }


def stream(contender: Contender, trace: Trace, size: Size, best: Best, watch: Watch) -> Data:
    """Work that is always there, and what of it is done once the first part is over."""
    contender.model.begin()
    count = round(1.5 * best.calls_per_second * size.stream) + 2 * best.calls
    played = play(contender, trace.stream(count), size.stream)
    record = contender.model.record()
    begin, end = size.stream_warm, size.stream - LAST
    limits = [(at, limit) for at, limit in watch.limits if at <= played.begun + size.stream]
    return {
        **_rates(played, record, begin, end),
        # There is always work: `auto` is measured against the best limit too, not against its own.
        "busy": round(_busy_between(record, best.calls, played.begun + begin, played.begun + end), 4),
        "from": begin,
        "to": end,
        "peak": record.peak,
        "limits": [[round(at - played.begun, 1), limit] for at, limit in limits],
        "in_flight": course.thinned(record.in_flight, played.begun, played.begun + size.stream),
    }


def _busy_between(record: Record, limit: int, begin: float, end: float) -> float:
    share, _ = course.busy(record.in_flight, [(begin, limit + 1)], limit, begin, end)
    return share


def _rates(played: Played, record: Record, after: float, until: float) -> Data:
    """What is done between two moments, in seconds from the beginning."""
    begin, end = played.begun + after, played.begun + until
    begun = [span for span in record.spans if begin <= span[1] < end]
    refused = sum(begin <= at < end for at in record.refusals)
    tokens = record.tokens_between(begin, end) / (end - begin)
    each = statistics.mean(one.ask.tokens_out for one in played.outcomes)
    lasted = [span[2] - span[1] for span in begun if span[2] < end] or [0.0]
    return {
        "tokens_per_second": round(tokens, 2),
        "calls_per_second": round(tokens / each, 3),
        "call_seconds": {f"p{percent}": round(percentile(lasted, percent), 2) for percent in (5, 50, 95)},
        "refused": refused,
        "refused_share": round(refused / max(1, refused + len(begun)), 4),
    }


def _fairness(outcomes: Sequence[Outcome], record: Record) -> Data:
    """Jain's index while everybody has work waiting; None where the server was not told who asks."""
    each = len(outcomes) // len(PEOPLE)
    if any(person not in PEOPLE for person, *_ in record.spans):
        return {"each": each, "jain": None, "jain_cost": None}
    moment = fairness.first_without(record.spans, each)
    plain = fairness.served(record.spans, moment)
    weighted = [
        (person, begin, end, into, OUTPUT_WEIGHT * out) for person, begin, end, into, out in record.spans
    ]
    cost = fairness.served(weighted, moment)
    return {
        "each": each,
        "jain": round(fairness.jain([plain.get(person, 0) for person in PEOPLE]), 4),
        "jain_cost": round(fairness.jain([cost.get(person, 0) for person in PEOPLE]), 4),
    }


def _wanted(played: Played) -> list[tuple[float, float]]:
    """Asks that are not answered yet; those that never will be do not count."""
    good = [one for one in played.outcomes if one.answered is not None]
    return course.of((one.asked for one in good), (one.answered or time.time() for one in good))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
