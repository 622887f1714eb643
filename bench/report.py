"""docs/benchmarks.md and its pictures; every number in them comes from the JSON in bench/results."""

import pathlib
from collections.abc import Callable
from typing import Any

from bench import card_page, claims_page, extract_page, markdown, plots, text_page
from bench.line import page as line_page
from bench.results import Folder

Data = dict[str, Any]

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SIDES = {"threadline": "Threadline", "bolt": "bare Bolt app"}
ACK_RATIO, ACK_MS = 2.0, 100.0
PATH_MS = 150.0
THROUGHPUT_SHARE = 1 / 3
COLD_SECONDS, WARM_SECONDS = 90.0, 8.0
MEMORY_MB = 400.0

HEAD = """# Benchmarks

Written by `python -m bench report` from the JSON files in `bench/results`; do not edit by hand.
`make bench` measures everything anew, in about an hour; `make bench ARGS="--only ack,path"` measures some. Speed is
measured side by side: what it is compared with runs on the same machine in the same minutes, and the ratio says more
than the number.
"""


def write(results: Folder, docs: pathlib.Path) -> pathlib.Path:
    """The page and its pictures under `docs`; returns the page."""
    pictures = docs / "benchmarks"
    pictures.mkdir(parents=True, exist_ok=True)
    found = {name: content for name in SECTIONS if (content := results.load(name))}
    missing = [name for name in SECTIONS if name not in found]
    parts = [HEAD, _summary(found)]
    for name, section in SECTIONS.items():
        if name in found:
            parts.append(section(found[name]["data"], found[name], pictures))
    if missing:
        parts.append(f"Not measured yet: {', '.join(missing)}.\n")
    page = docs / "benchmarks.md"
    page.write_text("\n".join(parts))
    return page


def aims(found: dict[str, Data]) -> list[list[str]]:
    """Every aim with what was measured: [what, aim, measured, met]."""
    rows = []
    for case in _cases(found, "ack"):
        place = f"{_database(case)}, workers {case['workers']}"
        p99, bare = case["threadline"]["p99"], case["bolt"]["p99"]
        ratio = p99 / bare
        measured = f"{markdown.ms(p99)}, {ratio:.1f} times"
        met = ratio <= ACK_RATIO and p99 * 1000 < ACK_MS
        aim = f"below {ACK_MS:g} ms and at most {ACK_RATIO:g} times"
        rows.append(
            [f"Acknowledgement, p99 and against a bare Bolt app ({place})", aim, measured, markdown.met(met)]
        )
    for case in _cases(found, "path"):
        p50 = case["p50"]
        what = f"Path overhead, p50 ({_database(case)})"
        rows.append([what, f"below {PATH_MS:g} ms", markdown.ms(p50), markdown.met(p50 * 1000 < PATH_MS)])
    rows += card_page.aims(found)
    for case in _cases(found, "throughput"):
        for door, name in (("slack", "Slack"), ("api", "the API")):
            share = case[f"{door}_per_second"] / case["chain_per_second"]
            what = f"Jobs per second by {name}, against a bare Celery chain ({_database(case)})"
            rows.append([what, "at least a third", f"{share:.0%}", markdown.met(share >= THROUGHPUT_SHARE)])
    if "memory" in found:
        total = found["memory"]["data"]["total_mb"]
        aim = f"below {MEMORY_MB:g} MB"
        rows.append(
            ["Memory of all processes at rest", aim, f"{total:.0f} MB", markdown.met(total < MEMORY_MB)]
        )
    if "start" in found:
        data = found["start"]["data"]
        cold, warm = data["cold"]["answer"], max(one["answer"] for one in data["warm"])
        aim = f"below {COLD_SECONDS:g} s"
        rows.append(
            ["Cold `make run` to the first answer", aim, f"{cold:.1f} s", markdown.met(cold < COLD_SECONDS)]
        )
        aim = f"below {WARM_SECONDS:g} s"
        rows.append(["Warm `make run`, the slowest", aim, f"{warm:.1f} s", markdown.met(warm < WARM_SECONDS)])
    rows += line_page.aims(_cases(found, "line"))
    return rows + claims_page.aims(_cases(found, "claims")) + text_page.aims(found) + extract_page.aims(found)


def _summary(found: dict[str, Data]) -> str:
    rows = aims(found)
    met = sum(row[-1] == "met" for row in rows)
    words = f"## Aims\n\n{met} of {len(rows)} are met.\n"
    if any(content["quick"] for content in found.values()):
        words += "\n**Some of this comes from a quick run (`--quick`): too short to rely on.**\n"
    return f"{words}\n{markdown.table(['what', 'aim', 'measured', ''], rows)}"


def _ack(data: Data, about: Data, pictures: pathlib.Path) -> str:
    rows = []
    for case in data["cases"]:
        for side, name in SIDES.items():
            one = case[side]
            rows.append(
                [
                    f"{_database(case)}, {case['workers']}",
                    name,
                    *(markdown.ms(one[key]) for key in ("p50", "p90", "p99", "max")),
                    str(one["refused"]),
                    markdown.ms(one["generator_late_p99"]),
                ]
            )
    working = "; ".join(
        f"{_database(case)}: {case['jobs_done']} jobs answered meanwhile and {case['jobs_left']} left in line"
        for case in data["cases"]
        if case["workers"] == "working"
    )
    plots.acknowledgements(data["cases"], pictures / "ack.png")
    columns = ["database, workers", "", "p50", "p90", "p99", "max", "refused", "generator late, p99"]
    return markdown.section(
        "How long Slack waits for the acknowledgement",
        about,
        f"Signed `app_mention` events, {data['rate']} a second by a fixed schedule for {data['seconds']} s to each, "
        f"in {data['blocks']} blocks in turns. The clock of a request starts when it was due, so a stall counts for "
        "everything behind it. Threadline commits a row before it answers; the bare Bolt app (Bolt's own FastAPI "
        "example, signature check on) does nothing. With the workers working, prepare, infer, deliver and the "
        f"stand-ins share the machine's cores with both servers ({working}).",
        markdown.table(columns, rows),
        "![Distribution of the acknowledgement times](benchmarks/ack.png)",
    )


def _path(data: Data, about: Data, pictures: pathlib.Path) -> str:
    rows = [
        [_database(case), *(markdown.ms(case[key]) for key in ("p50", "p90", "p99", "max"))]
        for case in data["cases"]
    ]
    stages = list(data["cases"][0]["stages"])
    parts = [
        [_database(case), *(markdown.ms(case["stages"][stage]["p50"]) for stage in stages)]
        for case in data["cases"]
    ]
    plots.stages(data["cases"], pictures / "path.png")
    return markdown.section(
        "From the acknowledgement to the answer in the thread",
        about,
        f"{data['requests']} mentions, one at a time, each in a channel of its own, with a model that answers at "
        "once and a Slack that does not limit: what is left is Threadline's own part.",
        markdown.table(["database", "p50", "p90", "p99", "max"], rows),
        "Where it goes, p50 of each stage by the rows' own times:\n",
        markdown.table(["database", *stages], parts),
        "![Where the time goes](benchmarks/path.png)",
    )


def _throughput(data: Data, about: Data, pictures: pathlib.Path) -> str:
    rows = []
    for case in data["cases"]:
        chain = case["chain_per_second"]
        rates = (case["slack_per_second"], case["api_per_second"])
        rows.append(
            [
                _database(case),
                *(f"{rate:.1f} ({rate / chain:.0%})" for rate in rates),
                f"{chain:.0f}",
                str(case["refused"]),
            ]
        )
    plots.throughput(data["cases"], pictures / "throughput.png")
    return markdown.section(
        "Jobs per second",
        about,
        f"{data['jobs']} jobs at once, until the last answer is posted; the same by the HTTP API, where nothing is "
        "posted. Beside them, three times, a bare Celery chain of three tasks that do nothing, with the same broker "
        "and as many workers of the same kinds. A job of Threadline's is a card, a prepared text, a streamed model "
        "call, an answer and the card's edits, each in a committed row. What was refused (503) was sent again, as "
        "Slack does.",
        markdown.table(["database", "by Slack", "by the API", "bare chain", "refused"], rows),
        "![Jobs per second](benchmarks/throughput.png)",
    )


def _memory(data: Data, about: Data, pictures: pathlib.Path) -> str:
    processes = data["processes"]
    rows = [
        [name, str(processes[name]["processes"]), f"{processes[name]['mb']:.1f}"] for name in data["product"]
    ]
    rows.append(["**all of the product**", "", f"**{data['total_mb']:.1f}**"])
    rows += [
        [f"{name} (beside)", str(processes[name]["processes"]), f"{processes[name]['mb']:.1f}"]
        for name in data["beside"]
    ]
    plots.memory(data, MEMORY_MB, pictures / "memory.png")
    return markdown.section(
        "Memory at rest",
        about,
        f"Proportional set size (shared pages counted once), children included, on SQLite, after {data['jobs']} jobs "
        f"and a rest. Right after the start it is {data['total_fresh_mb']:.1f} MB.",
        markdown.table(["process", "processes", "MB"], rows),
        "![Memory at rest](benchmarks/memory.png)",
    )


def _start(data: Data, about: Data, pictures: pathlib.Path) -> str:
    named = [("cold: makes `.venv` and installs everything", data["cold"])]
    named += [(f"warm, {number}", one) for number, one in enumerate(data["warm"], 1)]
    rows = [[name, f"{one['page']:.1f} s", f"{one['answer']:.1f} s"] for name, one in named]
    return markdown.section(
        "From `make run` to the first answer",
        about,
        "A fresh clone; pip's cache is left unused, so the cold start includes the downloads.",
        markdown.table(["start", "ready, asked", "first answer"], rows),
    )


def _line(data: Data, about: Data, pictures: pathlib.Path) -> str:
    return markdown.section(line_page.TITLE, about, *line_page.parts(data, pictures))


SECTIONS: dict[str, Callable[[Data, Data, pathlib.Path], str]] = {
    "ack": _ack,
    "path": _path,
    "card": card_page.section,
    "rates": card_page.rates,
    "throughput": _throughput,
    "memory": _memory,
    "start": _start,
    "line": _line,
    "claims": claims_page.section,
    "redaction": text_page.redaction,
    "cutting": text_page.cutting,
    "extract": extract_page.section,
}


def _cases(found: dict[str, Data], name: str) -> list[Data]:
    return list(found[name]["data"]["cases"]) if name in found else []


def _database(case: Data) -> str:
    return DATABASES[case["database"]]
