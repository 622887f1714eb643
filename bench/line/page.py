"""What docs/benchmarks.md says about the line."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from bench import markdown
from bench.line import pictures

Data = dict[str, Any]

TITLE = "One line for everybody"
CONTENDERS = {
    "naive": "a web service that calls the model at once",
    "semaphore": "the same, an `asyncio.Semaphore` in each request",
    "celery": "plain Celery, one worker of {calls}",
    "celery2": "plain Celery, two workers of {calls} each",
    "litellm": "LiteLLM's router, `max_parallel_requests={calls}`",
    "fixed": "**Threadline, limit {calls}**",
    "auto": "**Threadline, `auto`**",
    "oracle": "the oracle",
}
OURS = ("fixed", "auto")
BUSY, SHARE_OF_BEST, REFUSED, JAIN, FLOOD_RATIO = 0.97, 0.95, 0.01, 0.98, 1.5
COLUMNS = [
    *("", "answered", "refused", "makespan", "wait p50", "wait p95", "light people's p95"),
    *("flood / calm", "Jain", "slots busy", "peak"),
]


def aims(cases: list[Data]) -> list[list[str]]:
    """Every aim with the worst that was measured: [what, aim, measured, met]."""
    if not cases:
        return []
    rows = [
        _aim("Answered by Threadline", _all(cases, _answered), 1, "all", "{:.1%}"),
        _aim("Slots busy while work waits, limit fixed", _all(cases, _busy), BUSY, "at least 97 %", "{:.1%}"),
        _aim(
            "`auto` against the best fixed limit, after the first minute",
            _all(cases, _auto),
            SHARE_OF_BEST,
            "at least 95 %",
            "{:.1%}",
        ),
        _aim(
            "Calls of `auto` refused after the first minute",
            _all(cases, _refused),
            REFUSED,
            "at most 1 %",
            "{:.2%}",
            most=True,
        ),
        _aim(
            "Jain index by tokens, everybody backlogged", _all(cases, _jain), JAIN, "at least 0.98", "{:.3f}"
        ),
        _aim(
            "Light people's p95 wait under a flood, against the same without",
            _all(cases, _flood),
            FLOOD_RATIO,
            "at most 1.5 times",
            "{:.2f} times",
            most=True,
        ),
    ]
    return [row for row in rows if row]


def _aim(
    what: str, found: list[tuple[float, str]], limit: float, aim: str, form: str, *, most: bool = False
) -> list[str]:
    if not found:
        return []
    worst, where = max(found) if most else min(found)
    good = worst <= limit if most else worst >= limit
    return [f"{what} (the worst: {where})", aim, form.format(worst), markdown.met(good)]


def _all(cases: list[Data], look: Callable[[Data], Iterator[tuple[float, str]]]) -> list[tuple[float, str]]:
    return [(value, f"{case['profile']}, {name}") for case in cases for value, name in look(case)]


def _ours(case: Data, kind: str) -> Iterator[tuple[Data, str]]:
    for name in OURS:
        if kind in case["contenders"].get(name, {}):
            yield case["contenders"][name][kind], name


def _answered(case: Data) -> Iterator[tuple[float, str]]:
    for kind in ("calm", "flood", "backlog"):
        yield from ((found["answered"], f"{name}, {kind}") for found, name in _ours(case, kind))


def _busy(case: Data) -> Iterator[tuple[float, str]]:
    for kind in ("flood", "backlog"):
        yield from ((found["busy"], kind) for found, name in _ours(case, kind) if name == "fixed")
    if "busy" in case["streams"].get("fixed", {}):
        yield case["streams"]["fixed"]["busy"], "all the time"


def _jain(case: Data) -> Iterator[tuple[float, str]]:
    yield from ((found["jain"] or 0.0, name) for found, name in _ours(case, "backlog"))


def _flood(case: Data) -> Iterator[tuple[float, str]]:
    for _, name in _ours(case, "flood"):
        ratio = _ratio(case["contenders"][name])
        yield (float("inf") if ratio is None else ratio), name


def _auto(case: Data) -> Iterator[tuple[float, str]]:
    streams = case["streams"]
    if all("tokens_per_second" in streams.get(name, {}) for name in OURS):
        yield streams["auto"]["tokens_per_second"] / streams["fixed"]["tokens_per_second"], "auto"


def _refused(case: Data) -> Iterator[tuple[float, str]]:
    if "refused_share" in case["streams"].get("auto", {}):
        yield case["streams"]["auto"]["refused_share"], "auto"


def _ratio(found: Data) -> float | None:
    flood, calm = (found.get(kind, {}).get("light_p95") for kind in ("flood", "calm"))
    return None if flood is None or calm is None else flood / calm


def parts(data: Data, folder: pathlib.Path) -> list[str]:
    """The section's paragraphs, tables and pictures; the pictures are written to `folder`."""
    size = data["seconds"]
    made = [
        (
            f"{data['people']} people, one trace for everybody: heavy-tailed prompts and answers, bursts, and one person "
            f"who floods after a sixth of {size['trace']:g} s. The calm trace is the same without that person. Behind each "
            "contender stands the stand-in model server in a process of its own, in five profiles (docs/model-stand-in.md). "
            "The best number of calls in flight was found beforehand by an oracle that tries them all; it is the fixed "
            "limit, Celery's concurrency and LiteLLM's `max_parallel_requests`. The oracle's own makespan is the ideal.\n\n"
            "A wait is from the asking to the answer; *never*: that percentile was not answered. Refused: by the server. "
            "Slots busy: of the best number, while more than that was asked for and not answered. Jain: by tokens served, "
            "when everybody asks for the same number of calls at once, at the moment when the first person has none waiting "
            "(in brackets with an answer's token counting twice, as Threadline's line does by default).\n\n"
            "What to bear in mind: everybody's backlog comes at once, and its texts are prepared while the first calls "
            "run, which counts as slots not busy; with more slots than people (vllm), all that people asked for is in "
            "flight soon, and little is left for fairness to decide; `auto` plays the traces with a server it has never "
            "seen, after four calls, and spends much of them learning."
        )
    ]
    made += [part for case in data["cases"] for part in _profile(case)]
    if data["litellm"]:
        made.append(
            f"LiteLLM {data['litellm']}: what finds none of its slots free is refused by the router itself, after three "
            "retries."
        )
    if data["together"] > 1:
        made.append(f"{data['together']} runs at a time, on the same cores.")
    made += ["### All the time", _streams_words(size), _streams(data["cases"])]
    for name, draw, words in (
        ("line-in-flight", pictures.in_flight, "Calls in flight over time"),
        ("line-waits", pictures.waits, "Waits of light people with and without a flood"),
        ("line-auto", pictures.limits, "The learned limit over time"),
    ):
        draw(data["cases"], folder / f"{name}.png")
        made.append(f"![{words}](benchmarks/{name}.png)")
    return made


def _profile(case: Data) -> list[str]:
    seconds = case["call_seconds"]
    oracle = case["contenders"].get("oracle", {}).get("flood")
    ideal = f"; the ideal for the trace is {oracle['seconds']:.0f} s" if oracle else ""
    title = (
        f"### {case['profile']}\n\n"
        f"At its best with {case['calls']} calls in flight: {case['calls_per_second']:.1f} calls a second of "
        f"{seconds['p5']:.1f} to {seconds['p95']:.1f} s{ideal}."
    )
    rows = [
        _row(words.format(calls=case["calls"]), case["contenders"].get(name), oracle)
        for name, words in CONTENDERS.items()
    ]
    return [title, markdown.table(COLUMNS, rows)]


def _row(name: str, found: Data | None, oracle: Data | None) -> list[str]:
    if found is None or "broke" in found:
        why = "not installed" if found is None and "LiteLLM" in name else "broke" if found else "not measured"
        return [name, why, *[""] * (len(COLUMNS) - 2)]
    flood, ratio = found["flood"], _ratio(found)
    ideal = f" ({flood['seconds'] / oracle['seconds']:.2f}x)" if oracle else ""
    return [
        name,
        f"{flood['answered']:.1%}",
        str(flood["refused"]),
        f"{flood['seconds']:.0f} s{ideal}" if flood["answered"] == 1 else "never",
        *(_seconds(flood[key]) for key in ("p50", "p95", "light_p95")),
        "" if ratio is None else f"{ratio:.2f}",
        _index(found["backlog"]),
        f"{flood['busy']:.1%}",
        str(flood["peak"]),
    ]


def _streams_words(size: Data) -> str:
    return (
        f"Work that never ends, for {size['stream']:g} s; what is counted begins after {size['stream_warm']:g} s. "
        "`auto` begins with what it knows of a server it has never seen: nothing."
    )


def _streams(cases: list[Data]) -> str:
    rows = []
    for case in cases:
        rates = [
            case.get("tokens_per_second"),
            *(case["streams"].get(name, {}).get("tokens_per_second") for name in OURS),
        ]
        auto = case["streams"].get("auto", {})
        _, fixed, learned = rates
        last = auto.get("limits") or [[0, ""]]
        rows.append(
            [
                case["profile"],
                *("" if rate is None else f"{rate:.0f}" for rate in rates),
                f"{learned / fixed:.1%}" if learned is not None and fixed else "",
                f"{auto['refused_share']:.2%}" if "refused_share" in auto else "",
                f"{last[-1][1]} ({case['calls']})",
                *(_share(case["streams"].get(name, {}).get("busy")) for name in OURS),
            ]
        )
    columns = [
        "",
        "oracle, tokens a second",
        "limit fixed",
        "`auto`",
        "`auto` / fixed",
        "refused",
        "limit (best)",
        "slots busy, fixed",
        "slots busy, `auto`",
    ]
    return markdown.table(columns, rows)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _index(backlog: Data) -> str:
    if backlog["jain"] is None:
        return "not known"
    return f"{backlog['jain']:.3f} ({backlog['jain_cost']:.3f})"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
