"""The pictures of docs/benchmarks.md."""

import pathlib
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS, THEIRS, THIRD, GREY = "#2b5a8c", "#d98324", "#7aa874", "#8a8f98"
STAGES = ("#2b5a8c", "#5b8cbf", "#d98324", "#e8b072", "#7aa874")
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
DPI = 130


def acknowledgements(cases: list[dict[str, Any]], file: pathlib.Path) -> None:
    """The share of requests answered within a time, a panel for each case."""
    columns = 2 if len(cases) > 1 else 1
    rows = -(-len(cases) // columns)
    size = (9, 0.4 + 3.2 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    for case, panel in zip(cases, axes.flat, strict=False):
        for side, colour, label in (("threadline", OURS, "Threadline"), ("bolt", THEIRS, "bare Bolt app")):
            percents, seconds = zip(*case[side]["curve"], strict=True)
            panel.plot([1000 * one for one in seconds], percents, color=colour, lw=2, label=label)
        panel.axvline(100, color=GREY, lw=1, ls=":", label="aim: 99 % within 100 ms")
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        ours, theirs = (case[side]["p99"] * 1000 for side in ("threadline", "bolt"))
        title = f"{NAMES[case['database']]}, workers {case['workers']}\np99 {ours:,.0f} ms beside {theirs:,.0f} ms"
        panel.set_title(title, fontsize=9)
        plain(panel)
    for panel in axes[-1]:
        panel.set_xlabel("milliseconds until acknowledged")
    for panel in axes[:, 0]:
        panel.set_ylabel("% of requests")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=3, loc="upper center", fontsize=9, frameon=False)
    save(figure, file, top=1 - 0.3 / size[1])


def stages(cases: list[dict[str, Any]], file: pathlib.Path) -> None:
    """The median of each stage, one after the other."""
    figure, panel = plt.subplots(figsize=(9, 0.8 + 0.7 * len(cases)))
    for place, case in enumerate(cases):
        begun = 0.0
        for colour, (stage, spread) in zip(STAGES, case["stages"].items(), strict=True):
            width = max(0.0, spread["p50"] * 1000)
            panel.barh(
                place, width, left=begun, color=colour, height=0.55, label=stage if place == 0 else None
            )
            if width > 5:
                panel.text(
                    begun + width / 2,
                    place,
                    f"{width:.0f}",
                    ha="center",
                    va="center",
                    color="white",
                    fontsize=9,
                )
            begun += width
    panel.set_yticks(range(len(cases)), [NAMES[case["database"]] for case in cases])
    panel.set_xlabel("milliseconds, the median of each stage")
    panel.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8, frameon=False)
    plain(panel, "x")
    save(figure, file)


def throughput(cases: list[dict[str, Any]], file: pathlib.Path) -> None:
    """Bars side by side; the aim is a third of the chain's."""
    figure, panel = plt.subplots(figsize=(9, 3.2))
    doors = (
        ("slack", "Threadline by Slack", OURS),
        ("api", "Threadline by the API", THIRD),
        ("chain", "bare Celery chain of three", THEIRS),
    )
    for number, (door, label, colour) in enumerate(doors):
        places = [place + (number - 1) * 0.27 for place in range(len(cases))]
        bars = panel.bar(
            places, [case[f"{door}_per_second"] for case in cases], width=0.25, color=colour, label=label
        )
        panel.bar_label(bars, fmt="%.0f", fontsize=9, padding=2)
    for place, case in enumerate(cases):
        third = case["chain_per_second"] / 3
        panel.hlines(
            third,
            place - 0.41,
            place + 0.41,
            color=GREY,
            ls=":",
            label="aim: a third of the chain" if place == 0 else None,
        )
    panel.set_xticks(range(len(cases)), [NAMES[case["database"]] for case in cases])
    panel.set_ylabel("jobs per second")
    panel.margins(y=0.15)
    panel.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    plain(panel)
    save(figure, file)


def memory(data: dict[str, Any], aim_mb: float, file: pathlib.Path) -> None:
    """A bar for each process, the product's apart from what stands beside it."""
    names = [*data["product"], *data["beside"]]
    sizes = [data["processes"][name]["mb"] for name in names]
    colours = [OURS] * len(data["product"]) + [GREY] * len(data["beside"])
    figure, panel = plt.subplots(figsize=(9, 3.2))
    bars = panel.barh(names[::-1], sizes[::-1], color=colours[::-1], height=0.6)
    panel.bar_label(bars, fmt="%.0f", fontsize=9, padding=3)
    panel.set_xlabel("MB (proportional set size)")
    panel.set_title(
        f"{data['total_mb']:.0f} MB in all for the product (aim: below {aim_mb:g}); grey: beside it",
        fontsize=10,
    )
    panel.margins(x=0.1)
    plain(panel, "x")
    save(figure, file)


def rates(cases: list[dict[str, Any]], aim_ms: float, file: pathlib.Path) -> None:
    """Until the card, p95, and the cores that all processes keep busy, by requests a second."""
    figure, (cards, cores) = plt.subplots(1, 2, figsize=(9, 3.4))
    for database, colour in (("sqlite", OURS), ("postgresql", THEIRS)):
        mine = [case for case in cases if case["database"] == database]
        across = [case["rate"] for case in mine]
        cards.plot(across, [1000 * case["p95"] for case in mine], "o-", color=colour, label=NAMES[database])
        busy = [case["cores"] for case in mine]
        cores.plot(across, busy, "o-", color=colour, label=NAMES[database])
    cards.axhline(aim_ms, color=GREY, lw=1, ls=":", label=f"aim: below {aim_ms:g} ms")
    cards.set_yscale("log")
    cards.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    cards.set_ylabel("milliseconds until the card, p95")
    cores.set_ylabel("cores busy")
    for panel in (cards, cores):
        panel.set_xlabel("requests a second")
        panel.legend(fontsize=8, frameon=False)
        plain(panel)
    save(figure, file)


def plain(panel: Axes, axis: str = "y") -> None:
    """The look of every panel: no box, a faint grid."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis=axis, alpha=0.25)
    panel.set_axisbelow(True)


def save(figure: Figure, file: pathlib.Path, top: float = 1.0) -> None:
    """Write the figure; `top` leaves room above the panels."""
    figure.tight_layout(rect=(0, 0, 1, top))
    # Without the date and the version, so that the same numbers make the same file.
    figure.savefig(file, dpi=DPI, metadata={"Software": None})
    plt.close(figure)
