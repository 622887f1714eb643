"""What the processes hold at rest: proportional set size, so that shared pages are counted once."""

import random
import time
from typing import Any

import psutil

from bench import product
from bench.say import Say

PRODUCT = ("web", "prepare", "infer", "deliver", "beat")
# Not the product's: a broker is shared or bought, and the playground stays at home.
BESIDE = ("broker", "playground")
JOBS, QUICK_JOBS = 40, 8
REST_SECONDS = 5


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Megabytes for each process, its children included, after some work and a rest."""
    say("sqlite: all processes, after some jobs and a rest")
    with product.running("sqlite") as running:
        fresh = _sizes(running)
        product.warm_up(running, seed, QUICK_JOBS if quick else JOBS)
        time.sleep(REST_SECONDS)
        rest = _sizes(running)
    total = sum(rest[name]["mb"] for name in PRODUCT)
    say(f"  {total:.0f} MB in {', '.join(PRODUCT)}")
    return {
        "jobs": QUICK_JOBS if quick else JOBS,
        "total_mb": round(total, 1),
        "total_fresh_mb": round(sum(fresh[name]["mb"] for name in PRODUCT), 1),
        "processes": rest,
        "product": list(PRODUCT),
        "beside": list(BESIDE),
    }


def _sizes(running: product.Product) -> dict[str, dict[str, float]]:
    pids = {name: server.process.pid for name, server in running.servers.items() if server.process}
    pids["broker"] = running.broker_pid
    return {name: _size(psutil.Process(pids[name])) for name in (*PRODUCT, *BESIDE)}


def _size(process: psutil.Process) -> dict[str, float]:
    family = [process, *process.children(recursive=True)]
    used = sum(member.memory_full_info().pss for member in family)
    return {"processes": len(family), "mb": round(used / 1e6, 1)}
