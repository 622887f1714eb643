"""What a number was measured on; without it the number says nothing."""

import datetime as dt
import importlib.metadata
import os
import pathlib
import platform
import sqlite3
import subprocess
import tempfile
import time
from typing import Any

import psutil

from bench.numbers import percentile
from playground.launcher import broker
from tests import services

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("celery", "fastapi", "kombu", "slack-bolt", "sqlalchemy", "uvicorn")


def describe() -> dict[str, Any]:
    """The machine, the versions, the revision and the moment."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "revision": revision(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.system() + " " + platform.release(),
        "load_before": round(psutil.getloadavg()[0], 2),
        "fdatasync_ms": round(_sync_seconds() * 1000, 3),
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "valkey": _version(broker.program(), "--version"),
            **({"postgresql": _version(program, "--version")} if (program := postgres()) else {}),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
    }


def revision() -> str:
    """The commit, and whether the files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    # What bench itself writes does not change what was measured.
    changed = _git("status", "--porcelain", "--", ".", ":!bench/results", ":!docs")
    return f"{commit} with uncommitted changes" if changed else commit


def postgres() -> str | None:
    """The newest PostgreSQL server's program, if one is installed where Debian puts it."""
    found = sorted(services.DEBIAN_POSTGRES.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return str(found[-1]) if found else None


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or ("" if done.returncode == 0 else "unknown")


def _cpu() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _version(*command: str) -> str:
    words = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    number = next((word for word in words if word.removeprefix("v=")[:1].isdigit()), "unknown")
    return number.removeprefix("v=")


def _sync_seconds() -> float:
    """How long this disk takes to promise 4 KB: part of every acknowledgement."""
    taken = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return percentile(taken, 50)
