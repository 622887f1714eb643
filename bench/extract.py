"""Reading files: what is kept, in which order, how fast and in how much memory, beside markitdown."""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict
from typing import Any

from bench import fidelity, papers, peak
from bench.machine import ROOT
from bench.papers import Paper
from bench.say import Say
from tasks.prepare.extract import child, limits, wire
from tasks.prepare.extract.problem import Problem

# What people install who want files as Markdown; its own environment, for it is none of our dependencies.
MARKITDOWN = "markitdown[docx,pptx,xlsx,pdf]==0.1.9"
FOLDER = ROOT / ".threadline" / "markitdown"
HOW_TO = f"python3 -m venv FOLDER && FOLDER/bin/pip install '{MARKITDOWN}'"
# For each file and reader.
SECONDS = 180
QUICK_SHARE = 0.01


def measure(
    draw: random.Random, say: Say, *, quick: bool, markitdown: pathlib.Path = FOLDER
) -> dict[str, Any]:
    """Each small file compared with its source; each large one timed. Without markitdown, ours alone."""
    theirs = markitdown / "bin" / "markitdown"
    if not theirs.is_file():
        say(f"markitdown is not in {markitdown}, so it is left out; to have it: {HOW_TO}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        found: dict[str, list[dict[str, Any]]] = {"small": [], "large": []}
        for paper in papers.small(folder, draw):
            found["small"].append(_both(paper, folder, theirs, say))
        for paper in papers.large(folder, draw, QUICK_SHARE if quick else 1.0):
            found["large"].append(_both(paper, folder, theirs, say))
    version = MARKITDOWN.rpartition("=")[2] if theirs.is_file() else None
    return {"markitdown": version, "seconds": SECONDS, "limit_mb": limits.MEMORY_BYTES / 1e6, **found}


def _both(paper: Paper, folder: pathlib.Path, theirs: pathlib.Path, say: Say) -> dict[str, Any]:
    file, out = folder / paper.name, folder / "out"
    file.write_bytes(paper.content)
    sides = {"ours": [sys.executable, "-m", "tasks.prepare.extract", file, paper.name, "", out, SECONDS]}
    if theirs.is_file():
        sides["markitdown"] = [theirs, file, "-o", out]
    row: dict[str, Any] = {
        "what": paper.what,
        "by": paper.by,
        "kind": file.suffix[1:],
        "mb": len(paper.content) / 1e6,
    }
    for side, command in sides.items():
        out.unlink(missing_ok=True)
        ended = _run([str(word) for word in command])
        text, pages = _read(side, out)
        if side == "ours":
            row["pages"] = pages
        compared = asdict(fidelity.of(paper.sentences, text)) if paper.sentences else {}
        row[side] = {**ended, "characters": len(text), **compared}
        say(f"  {paper.what}, {row['kind']}, {side}: {row[side]}")
    return row


def _run(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-IS", peak.__file__, str(SECONDS), *command],
        cwd=ROOT,
        env=child.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _read(side: str, out: pathlib.Path) -> tuple[str, int | None]:
    """What was read, and of how many pages; nothing where the reader gave up."""
    try:
        if side != "ours":
            return out.read_text("utf-8", "replace"), None
        with out.open(encoding="utf-8") as lines:
            found = wire.read(lines)
    except (OSError, EOFError, Problem):
        return "", None
    assert not isinstance(found, list)  # No archive is among the papers.
    return found.text, found.pages
