"""The pictures of the line."""

import pathlib
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.plots import GREY, OURS, THEIRS, THIRD, plain, save

Data = dict[str, Any]
NAMES = {
    "naive": "at once",
    "semaphore": "a semaphore each",
    "celery": "Celery",
    "celery2": "Celery, 2 workers",
    "litellm": "LiteLLM",
    "fixed": "Threadline",
    "auto": "Threadline, auto",
}
# Unanswered people wait longer than any picture is wide.
NEVER = 1e9


def in_flight(cases: list[Data], file: pathlib.Path) -> None:
    """Calls at the server while a trace with a flood is played: a row for each profile, a column for each contender."""
    figure, axes = _grid(cases)
    for case, panels in zip(cases, axes, strict=True):
        for name, panel in zip(NAMES, panels, strict=True):
            found = case["contenders"].get(name, {}).get("flood")
            if found is None:
                panel.text(
                    0.5, 0.5, "not measured", ha="center", transform=panel.transAxes, fontsize=7, color=GREY
                )
            else:
                moments, counts = zip(*found["in_flight"], strict=True)
                colour = OURS if name in {"fixed", "auto"} else THEIRS
                panel.fill_between(moments, counts, step="post", color=colour, lw=0)
            panel.axhline(case["calls"], color=GREY, lw=1, ls=":")
            # The naive services go far beyond; what matters is the neighbourhood of the limit.
            panel.set_ylim(0, 3 * case["calls"])
            panel.tick_params(labelsize=7)
            plain(panel)
        panels[0].set_ylabel(case["profile"], fontsize=9)
    figure.supxlabel(
        "seconds; calls in flight at the server, dotted: the best number; cut off at three times that",
        fontsize=8,
    )
    save(figure, file)


def waits(cases: list[Data], file: pathlib.Path) -> None:
    """The share of light people's asks that is answered within a time, with and without a flood."""
    figure, axes = _grid(cases)
    for case, panels in zip(cases, axes, strict=True):
        for name, panel in zip(NAMES, panels, strict=True):
            found = case["contenders"].get(name, {})
            for kind, colour in (("calm", THIRD), ("flood", THEIRS)):
                if kind in found:
                    _shares(panel, found[kind]["light_waits"], colour, kind)
            panel.set_xscale("log")
            panel.set_xlim(0.5, 200)
            panel.set_ylim(0, 100)
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
            panel.tick_params(labelsize=7)
            plain(panel)
        panels[0].set_ylabel(f"{case['profile']}\n% answered", fontsize=9)
    axes[0][0].legend(fontsize=7, frameon=False, loc="lower right")
    figure.supxlabel("seconds from a light person's asking to the answer", fontsize=8)
    save(figure, file)


def limits(cases: list[Data], file: pathlib.Path) -> None:
    """The limit that `auto` learned, beside the best one."""
    figure, axes = plt.subplots(1, len(cases), figsize=(2.2 * len(cases) + 0.6, 2.6), squeeze=False)
    for case, panel in zip(cases, axes[0], strict=True):
        auto = case["streams"].get("auto", {})
        if auto.get("in_flight"):
            moments, counts = zip(*auto["in_flight"], strict=True)
            panel.fill_between(moments, counts, step="post", color=OURS, alpha=0.3, lw=0, label="in flight")
        if auto.get("limits"):
            steps = [*auto["limits"], [auto["to"], auto["limits"][-1][1]]]
            panel.step(*zip(*steps, strict=True), where="post", color=OURS, lw=2, label="limit learned")
        panel.axhline(case["calls"], color=GREY, lw=1, ls=":", label="best")
        panel.set_title(case["profile"], fontsize=9)
        panel.set_ylim(bottom=0)
        panel.tick_params(labelsize=7)
        plain(panel)
    axes[0][0].legend(fontsize=7, frameon=False)
    figure.supxlabel("seconds", fontsize=8)
    save(figure, file)


def _grid(cases: list[Data]) -> tuple[Any, Any]:
    """A row of panels for each profile, a column for each contender."""
    size = (1.55 * len(NAMES) + 0.4, 0.7 + 1.35 * len(cases))
    figure, axes = plt.subplots(
        len(cases), len(NAMES), figsize=size, sharey="row", sharex=False, squeeze=False
    )
    for name, panel in zip(NAMES.values(), axes[0], strict=True):
        panel.set_title(name, fontsize=9)
    return figure, axes


def _shares(panel: Axes, found: list[float | None], colour: str, label: str) -> None:
    ordered = sorted(NEVER if wait is None else wait for wait in found)
    shares = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
    panel.step(ordered, shares, where="post", color=colour, lw=1.5, label=label)
