"""From `make run` on a fresh clone to the first answer in the page, and again once everything is installed."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import time
from typing import Any

import httpx

from bench import machine
from bench.say import Say
from playground.slack.state import BOT_USER
from tests import services

CHANNEL, PERSON = "C0GENERAL", "U0ADA"
LIMIT_SECONDS = 600
# make's own, and our virtual environment: a person in a fresh clone has none of them.
LEFT_OUT = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "PYTHONPATH", "VIRTUAL_ENV")
OURS = ("SLACK_", "LLM_", "DATABASE_URL", "BROKER_URL", "PLAYGROUND_", "PORT", "HOST", "API_TOKENS")


def measure(seed: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Seconds of a cold start and of warm ones."""
    with services.folder("clone") as folder:
        clone = folder / "threadline"
        begun = time.monotonic()
        subprocess.run(["git", "clone", "--quiet", str(machine.ROOT), str(clone)], check=True)
        cloned = time.monotonic() - begun
        say("make run on a fresh clone, pip's cache left unused")
        cold = _start(clone, folder / "cold.log")
        say(f"  first answer after {cold['answer']:.1f} s")
        warm = []
        for number in range(1 if quick else 3):
            warm.append(_start(clone, folder / f"warm-{number}.log"))
            say(f"  warm: first answer after {warm[-1]['answer']:.1f} s")
    return {"clone_seconds": round(cloned, 2), "cold": cold, "warm": warm}


def _start(clone: pathlib.Path, log: pathlib.Path) -> dict[str, float]:
    base = _ports()
    page = f"http://127.0.0.1:{base + 10}"
    # Into the log's file: a pipe that nobody reads would fill.
    with log.open("wb") as out:
        begun = time.monotonic()
        process = subprocess.Popen(
            ["make", "run", f"ARGS=--port-base {base}"],
            cwd=clone,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    services.guardian().watch(process.pid)
    try:
        with httpx.Client(base_url=page, timeout=5, trust_env=False) as http:
            ts = _until(process, log, lambda: _say(http))
            said = time.monotonic() - begun
            _until(process, log, lambda: _answered(http, ts))
            return {"page": round(said, 2), "answer": round(time.monotonic() - begun, 2)}
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
        services.guardian().forget(process.pid)


def _ports() -> int:
    while True:
        base = services.free_port()
        if base < 65000 and base not in {8000, 8010}:
            return base


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in LEFT_OUT and not name.startswith(OURS)
    }
    venv = os.environ.get("VIRTUAL_ENV")
    path = [part for part in kept["PATH"].split(os.pathsep) if not venv or not part.startswith(venv)]
    return {**kept, "PATH": os.pathsep.join(path), "PIP_NO_CACHE_DIR": "1"}


def _until(process: subprocess.Popen[bytes], log: pathlib.Path, condition: Any) -> Any:
    def look() -> Any:
        if process.poll() is not None:
            raise RuntimeError(f"make run ended: {log.read_text(errors='replace')[-3000:]}")
        return condition()

    return services.wait_for(look, LIMIT_SECONDS, "the first answer")


def _say(http: httpx.Client) -> str | None:
    """Ask as soon as a person could: when the page is up and the bot listens behind it."""
    with contextlib.suppress(httpx.HTTPError):
        bot = http.base_url.copy_with(port=(http.base_url.port or 0) - 10)
        if httpx.get(bot.join("/readyz"), timeout=2, trust_env=False).status_code != 200:
            return None
        text = (
            f"<@{BOT_USER}> summarize The line is fair. Everybody can see where they stand. Nothing is lost."
        )
        return str(
            http.post("/control/say", json={"user": PERSON, "channel": CHANNEL, "text": text}).json()["ts"]
        )
    return None


def _answered(http: httpx.Client, ts: str) -> bool:
    seen = http.get("/control/messages", params={"channel": CHANNEL, "thread_ts": ts}).json()["messages"]
    kinds = [message.get("metadata", {}).get("event_payload", {}).get("kind") for message in seen]
    return "result" in kinds
