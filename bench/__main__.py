"""`python -m bench`: measure; `python -m bench report`: write docs/benchmarks.md from the results."""

import argparse
import os
import pathlib
import random
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from bench import (
    ack,
    card,
    claims,
    cutting,
    extract,
    machine,
    memory,
    path,
    rates,
    redaction,
    report,
    start,
    throughput,
)
from bench.line import measure as line
from bench.line.model import PROFILES
from bench.results import Folder
from bench.say import Say

ALL = {
    "ack": ack,
    "path": path,
    "card": card,
    "rates": rates,
    "throughput": throughput,
    "memory": memory,
    "start": start,
    "line": line,
    "claims": claims,
    "redaction": redaction,
    "cutting": cutting,
    "extract": extract,
}
RESULTS = machine.ROOT / "bench" / "results"
QUICK_RESULTS = machine.ROOT / ".threadline" / "bench"
DOCS = machine.ROOT / "docs"


def main(argv: list[str] | None = None) -> int:
    """0: measured. 1: a measurement broke."""
    chosen = _parser().parse_args(argv)
    results = Folder(chosen.results or (QUICK_RESULTS if chosen.quick else RESULTS))
    docs = chosen.docs or (QUICK_RESULTS / "docs" if chosen.quick else DOCS)
    if chosen.what == "measure":
        extra: dict[str, dict[str, Any]] = {
            "line": {"profiles": chosen.profiles, "together": chosen.together},
            "extract": {"markitdown": chosen.markitdown},
        }
        _measure(chosen.only, chosen.seed, results, extra, quick=chosen.quick)
    page = report.write(results, docs)
    print(f"written: {os.path.relpath(page)}")
    return 0


def _measure(
    names: list[str], seed: int, results: Folder, extra: dict[str, dict[str, Any]], *, quick: bool
) -> None:
    say = Say()
    say(f"seed {seed}; measuring {', '.join(names)}" + (", quick and rough" if quick else ""))
    for name in names:
        command = f"python -m bench --only {name} --seed {seed}" + (" --quick" if quick else "")
        say(f"{name}: {ALL[name].__doc__.splitlines()[0]}")  # type: ignore[union-attr]  # Every measurement has a docstring.
        if name == "line":
            command += _said(extra[name])
        about = {
            "name": name,
            "command": command,
            "seed": seed,
            "quick": quick,
            "machine": machine.describe(),
        }
        begun = time.monotonic()
        data = ALL[name].measure(random.Random(seed), say, quick=quick, **extra.get(name, {}))
        results.save(name, {**about, "seconds": round(time.monotonic() - begun), "data": data})


def _said(options: dict[str, Any]) -> str:
    profiles = options["profiles"]
    words = f" --profiles {','.join(profiles)}" if profiles != list(PROFILES) else ""
    return words + (f" --together {options['together']}" if options["together"] != 3 else "")


def _some(known: Iterable[str]) -> Callable[[str], list[str]]:
    def names(words: str) -> list[str]:
        found = [word.strip() for word in words.split(",") if word.strip()]
        if not found or set(found) - set(known):
            raise argparse.ArgumentTypeError(f"choose from {', '.join(known)}")
        return found

    return names


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument("what", nargs="?", choices=["measure", "report"], default="measure")
    made.add_argument(
        "--only", type=_some(ALL), default=list(ALL), metavar="NAME,...", help=f"some of {', '.join(ALL)}"
    )
    made.add_argument("--quick", action="store_true", help="short and rough, for work on bench itself")
    made.add_argument(
        "--profiles",
        type=_some(PROFILES),
        default=list(PROFILES),
        metavar="NAME,...",
        help=f"line: some of {', '.join(PROFILES)}",
    )
    made.add_argument("--together", type=int, default=3, help="line: so many runs at a time (%(default)s)")
    made.add_argument(
        "--markitdown",
        type=pathlib.Path,
        default=extract.FOLDER,
        metavar="FOLDER",
        help=f"extract: an environment with markitdown (%(default)s), made by {extract.HOW_TO}",
    )
    made.add_argument("--seed", type=int, default=20260117, help="for texts and pauses (%(default)s)")
    made.add_argument("--results", type=pathlib.Path, help="where the JSON lies (bench/results)")
    made.add_argument("--docs", type=pathlib.Path, help="where benchmarks.md is written (docs)")
    return made


if __name__ == "__main__":
    sys.exit(main())
