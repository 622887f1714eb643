"""`make chaos`: break everything while people ask, on each pair of database and broker; then docs/reliability.md."""

import argparse
import os
import pathlib
import random
import secrets
import sys
import time
from typing import Any

from bench import machine
from bench.reliability import kills, page, safety
from bench.results import Folder
from bench.say import Say
from tests import services
from tests.chaos import plan, run

# Beside the pairs: stock Celery under the same kills, and what the safety costs.
BESIDE = {"stock": kills, "safety": safety}
NAMES = (*run.PAIRS, *BESIDE)
RESULTS, SHORT_RESULTS = (
    machine.ROOT / "bench" / "results" / "chaos",
    machine.ROOT / ".threadline" / "chaos-results",
)
DOCS = machine.ROOT / "docs"


def main(argv: list[str] | None = None) -> int:
    """0: the ledger is even. 1: it is not; the seed makes the same faults again. 2: there is no such part."""
    chosen = _parser().parse_args(argv)
    names = chosen.only.split(",") if chosen.only else list(NAMES)
    if unknown := set(names) - set(NAMES):
        sys.stderr.write(f"--only: choose from {', '.join(NAMES)}, not {', '.join(sorted(unknown))}.\n")
        return 2
    seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    results = Folder(chosen.results or (SHORT_RESULTS if chosen.short else RESULTS))
    docs = chosen.docs or (SHORT_RESULTS if chosen.short else DOCS)
    say = Say()
    say(f"seed {seed}: {', '.join(names)}")
    try:
        found = {name: _measure(name, seed, say, results, short=chosen.short) for name in names}
    finally:
        services.dismiss_guardian()
    print(f"written: {os.path.relpath(page.write(results, docs))}")
    uneven = [name for name, seen in found.items() if name in run.PAIRS and run.wrong(seen)]
    say(f"NOT even: {', '.join(uneven)}; again with --seed {seed}" if uneven else "the ledger is even")
    return 1 if uneven else 0


def _measure(name: str, seed: int, say: Say, results: Folder, *, short: bool) -> dict[str, Any]:
    command = f"python -m bench.reliability --only {name} --seed {seed}" + (" --short" if short else "")
    about = {"name": name, "command": command, "seed": seed, "quick": short, "machine": machine.describe()}
    begun = time.monotonic()
    if name in BESIDE:
        say(f"{name}: {BESIDE[name].__doc__.splitlines()[0]}")  # type: ignore[union-attr]  # Each has one.
        data = BESIDE[name].measure(random.Random(seed), say, quick=short)
    else:
        size = plan.SHORT if short else plan.FULL
        say(f"{name}: {size.requests} requests in {size.seconds:.0f} s")
        data = run.run(name, seed, size, say)
        wrong = run.wrong(data)
        say(f"  {data['acknowledged']} acknowledged, {data['done']} done: {wrong or 'even'}")
    results.save(name, {**about, "seconds": round(time.monotonic() - begun), "data": data})
    return data


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench.reliability", description=__doc__)
    made.add_argument("--only", metavar="NAME,...", help=f"some of {', '.join(NAMES)}")
    made.add_argument("--seed", type=int, help="makes the plan of faults; by chance, and printed")
    made.add_argument("--short", action="store_true", help="as in `make test`: some 90 s for each pair")
    made.add_argument("--results", type=pathlib.Path, help="where the JSON lies (bench/results/chaos)")
    made.add_argument("--docs", type=pathlib.Path, help="where reliability.md is written (docs)")
    return made


if __name__ == "__main__":
    sys.exit(main())
