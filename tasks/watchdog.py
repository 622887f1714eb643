"""`python watchdog.py PID`: ends a process when a moment that it has told has passed (tasks.deadman).

A program of its own, with the standard library alone: a fork of a worker would keep the worker's memory twice.
"""

import math
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable

MOMENT = struct.Struct("d")

# Seconds. Who wakes up this late was frozen itself, as in a machine that was paused: then the other may speak first.
LATE = 5.0


def watch(pipe: int, kill: Callable[[], None], late: float = LATE) -> None:
    """Read moments from `pipe`, in monotonic seconds; `kill` when one has passed. Returns then, or at the pipe's end."""
    until = math.inf
    while True:
        left = None if until == math.inf else max(0.0, until - time.monotonic())
        if select.select([pipe], [], [], left)[0]:
            said = os.read(pipe, 512 * MOMENT.size)
            if not said:
                return
            (until,) = MOMENT.unpack(said[-MOMENT.size :])
        elif time.monotonic() - until > late:
            until = time.monotonic() + late
        else:
            kill()
            return


def main(watched: int) -> None:
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # It ends with the process that it watches, which may take a while to end.
        signal.signal(each, signal.SIG_IGN)
    watch(sys.stdin.fileno(), lambda: os.kill(watched, signal.SIGKILL))


if __name__ == "__main__":
    main(int(sys.argv[1]))
