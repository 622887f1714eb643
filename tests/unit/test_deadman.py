"""The watch over a process that may freeze: it is ended when a claim's time has passed, and at no other time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tasks import deadman, watchdog
from tasks.deadman import Deadman
from tests.acceptance.stack import ROOT

WORKER = """
import datetime, select, sys
from tasks.deadman import MARGIN, Deadman

watched = Deadman()
watched.start()
for line in sys.stdin:
    word, _, seconds = line.strip().partition(" ")
    if word == "hold":
        watched.hold("claim", datetime.timedelta(seconds=float(seconds)) + MARGIN)
    elif word == "release":
        watched.release("claim")
    print("done", flush=True)
"""


@contextlib.contextmanager
def worker() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def tell(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(words + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_a_frozen_process_is_ended_when_its_claim_runs_out() -> None:
    """SIGSTOP, and no renewal: `kill -9`, which is all that works on it."""
    with worker() as process:
        tell(process, "hold 1")
        process.send_signal(signal.SIGSTOP)
        assert process.wait(20) == -signal.SIGKILL


def test_a_claim_that_has_ended_or_was_renewed_ends_nobody() -> None:
    """A release, and a renewal, are heard in time; then the process ends as it likes."""
    with worker() as process:
        tell(process, "hold 30")
        tell(process, "hold 0.5")
        tell(process, "hold 30")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        tell(process, "hold 0.5")
        tell(process, "release")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_the_output_of_a_worker_ends_with_it() -> None:
    """The watchdog keeps no end of the pipes that others read."""
    with worker() as process:
        tell(process, "hold 30")
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_the_first_to_run_out_is_what_counts() -> None:
    """Of several claims the watchdog hears the earliest moment, and of none never."""
    reading, writing = os.pipe()
    watched = Deadman(clock=lambda: 100.0)
    watched._pipe = writing
    first, second = object(), object()
    watched.hold(first, deadman.MARGIN + timedelta(seconds=20))
    watched.hold(second, deadman.MARGIN + timedelta(seconds=10))
    watched.release(second)
    watched.release(first)
    assert watched.held() == 0
    said = os.read(reading, 1024)
    assert [moment for (moment,) in watchdog.MOMENT.iter_unpack(said)] == [120, 110, 120, float("inf")]
    os.close(reading)
    os.close(writing)


def test_a_watchdog_that_was_frozen_too_lets_the_other_speak_first() -> None:
    """A machine that was paused: the moment passed long ago, and the process gets a while to renew."""
    reading, writing = os.pipe()
    ended: list[float] = []
    begun = time.monotonic()
    os.write(writing, watchdog.MOMENT.pack(begun - 60))
    watchdog.watch(reading, lambda: ended.append(time.monotonic()), late=0.2)
    assert ended[0] - begun >= 0.2
    os.close(reading)
    os.close(writing)
