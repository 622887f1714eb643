"""The part of the page on files: what reading them keeps, and what it costs."""

import pathlib
from typing import Any

from matplotlib import pyplot as plt

from bench import markdown, plots
from bench.extract import MARKITDOWN

Data = dict[str, Any]
SIDES = {"ours": "Threadline", "markitdown": "markitdown"}
LIMIT_MB = 512
KEPT = 0.98
# These two are asked for by name: a long PDF and a long table.
_AIMED = ("pdf", "csv")


def aims(found: dict[str, Data]) -> list[list[str]]:
    """Memory of the long PDF and table, and that nothing is lost or out of order."""
    if "extract" not in found:
        return []
    data = found["extract"]["data"]
    rows = []
    for row in data["large"]:
        if row["kind"] in _AIMED:
            peak, done = row["ours"]["peak_mb"], row["ours"]["code"] == 0
            size = f"{row['pages']} pages" if row["pages"] else row["what"]
            what = f"Peak memory of reading a {row['kind'].upper()} ({size})"
            met = markdown.met(done and peak < LIMIT_MB)
            rows.append([what, f"below {LIMIT_MB} MB", f"{peak:.0f} MB", met])
    # What a picture says is the business of tesseract.
    files = [row for row in data["small"] if row["kind"] != "png"]
    for key, what in (("kept", "Characters kept"), ("ordered", "Sentences in order")):
        worst = min(files, key=lambda row: row["ours"][key] or 0)
        share = worst["ours"][key] or 0
        named = f"{what}, the worst of the files with text ({worst['what']}, {worst['kind']})"
        rows.append([named, f"at least {KEPT:.0%}", f"{share:.1%}", markdown.met(share >= KEPT)])
    return rows


def section(data: Data, about: Data, pictures: pathlib.Path) -> str:
    """Two tables and a picture."""
    sides = [side for side in SIDES if side in data["large"][0]]
    _plot(data, sides, pictures / "extract.png")
    beside = f"markitdown {data['markitdown']}" if data["markitdown"] else "markitdown, which was not there"
    return markdown.section(
        "Files as text",
        about,
        "Documents whose every sentence is known, Korean and English, made by LibreOffice, Chromium and others, read as "
        f"the product reads them (a child process within {data['limit_mb']:.0f} MB), and by {beside} (`{MARKITDOWN}` in "
        "an environment of its own; `--markitdown` says where). White space and Markdown's signs do not count. "
        "*Kept*: of the source's runs of three characters, the share that is there. *Added*: of what was read, the "
        "share that is not the source's (running lines, data read as text). *Whole*: sentences and cells without "
        "anything in between. *In order*: of those, the most that stand in the source's order.",
        markdown.table(
            ["file", "made by", "", "kept", "added", "whole", "in order"],
            [_fidelity(row, side) for row in data["small"] for side in sides],
        ),
        f"Large files, a process for each, at most {data['seconds']} s. Time and peak memory (resident) include the "
        "process's start.\n",
        markdown.table(
            ["file", "size", "", "characters", "took", "a second", "peak"],
            [_cost(row, side) for row in data["large"] for side in sides],
        ),
        "![Time and memory of large files](benchmarks/extract.png)",
    )


def _fidelity(row: Data, side: str) -> list[str]:
    one = row[side]
    shares = [one[key] if one["characters"] else None for key in ("kept", "added", "whole", "ordered")]
    shown = ["-" if share is None else f"{share:.1%}" for share in shares]
    return [f"{row['what']}, {row['kind']}", row["by"], SIDES[side], *shown]


def _cost(row: Data, side: str) -> list[str]:
    one = row[side]
    name = [f"{row['what']}, {row['kind']}", f"{row['mb']:.1f} MB", SIDES[side]]
    if one["code"] != 0 or not one["characters"]:
        why = f"not read within {one['seconds']:.0f} s" if one["code"] < 0 else "cannot be read"
        return [*name, "-", why, "-", f"{one['peak_mb']:.0f} MB"]
    speed = row["pages"] or row["mb"]
    unit = "pages" if row["pages"] else "MB"
    rate = f"{speed / one['seconds']:,.{0 if row['pages'] else 3}f} {unit}"
    return [*name, f"{one['characters']:,}", f"{one['seconds']:.1f} s", rate, f"{one['peak_mb']:.0f} MB"]


def _plot(data: Data, sides: list[str], file: pathlib.Path) -> None:
    """Bars of seconds and of memory, side by side for each large file; none where a file was not read."""
    rows = data["large"]
    figure, panels = plt.subplots(1, 2, figsize=(9, 0.8 + 0.5 * len(rows)), sharey=True)
    for panel, key, words in zip(panels, ("seconds", "peak_mb"), ("seconds", "peak memory, MB"), strict=True):
        for number, side in enumerate(sides):
            read = [row[side]["code"] == 0 and row[side]["characters"] > 0 for row in rows]
            sizes = [row[side][key] if done else 0 for row, done in zip(rows, read, strict=True)]
            colour = (plots.OURS, plots.THEIRS)[number]
            places = [place + (number - 0.5) * 0.36 for place in range(len(rows))]
            bars = panel.barh(places, sizes, height=0.34, color=colour, label=SIDES[side])
            labels = [f"{size:,.0f}" if done else "not read" for size, done in zip(sizes, read, strict=True)]
            panel.bar_label(bars, labels, fontsize=8, padding=2)
        panel.set_xlabel(words)
        panel.margins(x=0.2)
        plots.plain(panel, "x")
    panels[1].axvline(LIMIT_MB, color=plots.GREY, ls=":", lw=1)
    panels[0].set_yticks(range(len(rows)), [f"{row['what']}, {row['kind']}" for row in rows])
    panels[0].invert_yaxis()
    panels[0].legend(fontsize=8, frameon=False)
    plots.save(figure, file)
