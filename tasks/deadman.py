"""Ends this process when it can no longer keep its claims.

A process that is frozen holds its calls open at the model server after their leases are given to others (I5), posts
late what another has posted since (I4), and keeps SQLite's write lock (db.session). It cannot close a connection;
`kill -9` of it does, and works on the frozen. So a small program beside it (tasks/watchdog.py) waits at a pipe, and is
told until when all is well.
"""

import math
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from tasks import watchdog

log = structlog.get_logger()

# Before a lease runs out: the time to close a connection, and for the server to hear of it.
MARGIN = timedelta(seconds=5)

# Of one claim that is renewed many times a second, not all is worth waking up the other for.
NEWS = timedelta(seconds=1)


class Deadman:
    """What this process has claimed, and until when. Until `start` it only keeps count.

    `clock` gives monotonic seconds, which are the same in all processes of a machine.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[int, float] = {}
        self._lock = threading.Lock()
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._told = math.inf

    def start(self) -> None:
        """Begin to be watched."""
        if os.getpid() == 1:
            # The kernel keeps signals of a container's own from its process 1: it needs an init, as `docker --init`.
            log.warning("deadman.powerless")
        reading, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        # -I -S: nothing of the environment and no packages, so that it is small and starts at once.
        command = [sys.executable, "-I", "-S", str(pathlib.Path(watchdog.__file__)), str(os.getpid())]
        self._watchdog = subprocess.Popen(
            command,
            stdin=reading,
            # Whoever reads our output is to see its end.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # What freezes or ends our group is not to reach it.
            start_new_session=True,
        )
        os.close(reading)

    def hold(self, claim: object, left: timedelta) -> None:
        """A claim whose lease lasts for `left` from now; said again, it was renewed."""
        with self._lock:
            self._until[id(claim)] = self._clock() + (left - MARGIN).total_seconds()
            self._tell()

    def release(self, claim: object) -> None:
        """The claim has ended."""
        with self._lock:
            self._until.pop(id(claim), None)
            self._tell()

    def held(self) -> int:
        """How many claims there are."""
        return len(self._until)

    def _tell(self) -> None:
        first = min(self._until.values(), default=math.inf)
        if self._pipe is None or 0 <= first - self._told < NEWS.total_seconds():
            return
        try:
            os.write(self._pipe, watchdog.MOMENT.pack(first))
            self._told = first
        except BlockingIOError:
            pass  # It is frozen too; what it reads first when it wakes up is late, and it waits for more.
        except BrokenPipeError:
            log.warning("deadman.gone")
            self._pipe = None
