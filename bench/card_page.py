"""The part of the page on what people see at once: the card, and that Stop stops."""

import pathlib
from typing import Any

from bench import markdown, plots

Data = dict[str, Any]
CARD_MS, STOP_SECONDS = 700.0, 2.0
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SIDES = {"threadline": "Threadline", "bolt": "bare Bolt app; a client of its own"}


def aims(found: dict[str, Data]) -> list[list[str]]:
    """The card, and the slot that Stop frees, on each database."""
    if "card" not in found:
        return []
    data = found["card"]["data"]
    rows = []
    for case in data["cases"]:
        card, stop = case["threadline"]["card"]["p95"], case["threadline"]["stop"]["max"]
        place = f"{data['rate']} requests a second, {DATABASES[case['database']]}"
        rows += [
            [
                f"From the request to its card, p95 ({place})",
                f"below {CARD_MS:g} ms",
                markdown.ms(card),
                markdown.met(card * 1000 < CARD_MS),
            ],
            [
                f"From Stop to a free slot, the slowest ({place})",
                f"below {STOP_SECONDS:g} s",
                markdown.ms(stop),
                markdown.met(stop < STOP_SECONDS),
            ],
        ]
    return rows


def section(data: Data, about: Data, pictures: pathlib.Path) -> str:
    """Both, beside what people would write themselves."""
    cards, stops = [], []
    for case in data["cases"]:
        for side, name in SIDES.items():
            one = case[side]
            place = [DATABASES[case["database"]], name]
            cards.append(
                [*place, *_row(one["card"]), str(one["refused"]), markdown.ms(one["generator_late_p99"])]
            )
            stops.append([*place, str(one["stop"]["count"]), *_row(one["stop"])])
    left = ", ".join(f"{DATABASES[case['database']]}: {case['jobs_left']:,}" for case in data["cases"])
    times = ["p50", "p95", "p99", "max"]
    shared = "" if about["machine"]["load_before"] < 1 else " **Other work ran on the machine meanwhile.**"
    return markdown.section(
        "From the request to its card, and from Stop to a free slot",
        about,
        f"Signed mentions in {data['channels']} channels, {data['rate']} a second by a fixed schedule for {data['seconds']} s to "
        f"each side, in {data['blocks']} blocks in turns, while all slots are taken by long answers and the line grows "
        f"(waiting at the end: {left}); before each, all texts of the one before are prepared. All processes and the stand-ins share the machine's cores. A card is seen when "
        f"Slack's stand-in has it; its clock starts when the request was due.{shared} Threadline's stands in the database first and is "
        "posted by another process; beside it a Bolt app that posts a line right from its listener and keeps nothing.",
        markdown.table(["database", "", *times, "refused", "generator late, p99"], cards),
        "Meanwhile somebody presses Cancel on a request whose answer is being written, again and again. The slot is free when "
        "the model server's stand-in says so; a running call looks once a second whether it is still wanted. Beside it a "
        "client that closes a stream of its own.",
        markdown.table(["database", "", "presses", *times], stops),
    )


def rates(data: Data, about: Data, pictures: pathlib.Path) -> str:
    """What rate the machine can bear, and where its cores go."""
    plots.rates(data["cases"], CARD_MS, pictures / "rates.png")
    processes = list(dict.fromkeys(name for case in data["cases"] for name in case["cpu_ms"]))
    rows = []
    for case in data["cases"]:
        used = case["cpu_ms"]
        place = [DATABASES[case["database"]], f"{case['rate']:g}"]
        times = [markdown.ms(case["p50"]), markdown.ms(case["p95"]), str(case["refused"])]
        each = [f"{used[name]:.1f}" if name in used else "-" for name in processes]
        rows.append([*place, *times, *each, f"{sum(used.values()):.1f}", f"{case['cores']:.2f}"])
    shared = "" if about["machine"]["load_before"] < 1 else " **Other work ran on the machine meanwhile.**"
    return markdown.section(
        "How many requests a second show their cards in time",
        about,
        f"As above: mentions in {data['channels']} channels for {data['seconds']} s at each rate, one rate after the other and all texts prepared before each, with "
        f"a full line and {data['waiting']:,} in it at the start; nothing of what waits is answered meanwhile. Beside the times stand the milliseconds of "
        "a core that each process took for a request until the last card was there, the edits of cards in line and the stand-ins for Slack and the model "
        f"(playground) included, and how many of the machine's {about['machine']['cores']} cores all of it kept busy: "
        f"where that is all of them, cards wait for a core.{shared}",
        "![Until the card, and cores kept busy, by requests a second](benchmarks/rates.png)",
        markdown.table(["database", "a second", "p50", "p95", "refused", *processes, "all", "cores"], rows),
    )


def _row(times: dict[str, float]) -> list[str]:
    return [markdown.ms(times[name]) for name in ("p50", "p95", "p99", "max")]
