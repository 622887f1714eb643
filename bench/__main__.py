"""`python -m bench`: measure; `python -m bench report`: write docs/benchmarks.md from the results."""

import argparse
import os
import pathlib
import random
import sys
import time

from bench import ack, machine, memory, path, report, start, throughput
from bench.results import Folder
from bench.say import Say

ALL = {"ack": ack, "path": path, "throughput": throughput, "memory": memory, "start": start}
RESULTS = machine.ROOT / "bench" / "results"
QUICK_RESULTS = machine.ROOT / ".threadline" / "bench"
DOCS = machine.ROOT / "docs"


def main(argv: list[str] | None = None) -> int:
    """0: measured. 1: a measurement broke."""
    chosen = _parser().parse_args(argv)
    results = Folder(chosen.results or (QUICK_RESULTS if chosen.quick else RESULTS))
    docs = chosen.docs or (QUICK_RESULTS / "docs" if chosen.quick else DOCS)
    if chosen.what == "measure":
        _measure(chosen.only, chosen.seed, results, quick=chosen.quick)
    page = report.write(results, docs)
    print(f"written: {os.path.relpath(page)}")
    return 0


def _measure(names: list[str], seed: int, results: Folder, *, quick: bool) -> None:
    say = Say()
    say(f"seed {seed}; measuring {', '.join(names)}" + (", quick and rough" if quick else ""))
    for name in names:
        command = f"python -m bench --only {name} --seed {seed}" + (" --quick" if quick else "")
        say(f"{name}: {ALL[name].__doc__.splitlines()[0]}")  # type: ignore[union-attr]
        about = {
            "name": name,
            "command": command,
            "seed": seed,
            "quick": quick,
            "machine": machine.describe(),
        }
        begun = time.monotonic()
        data = ALL[name].measure(random.Random(seed), say, quick=quick)
        results.save(name, {**about, "seconds": round(time.monotonic() - begun), "data": data})


def _names(words: str) -> list[str]:
    names = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [name for name in names if name not in ALL]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"choose from {', '.join(ALL)}")
    return names


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument("what", nargs="?", choices=["measure", "report"], default="measure")
    made.add_argument(
        "--only", type=_names, default=list(ALL), metavar="NAME,...", help=f"some of {', '.join(ALL)}"
    )
    made.add_argument("--quick", action="store_true", help="short and rough, for work on bench itself")
    made.add_argument("--seed", type=int, default=20260117, help="for texts and pauses (%(default)s)")
    made.add_argument("--results", type=pathlib.Path, help="where the JSON lies (bench/results)")
    made.add_argument("--docs", type=pathlib.Path, help="where benchmarks.md is written (docs)")
    return made


if __name__ == "__main__":
    sys.exit(main())
