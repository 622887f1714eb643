"""Ends this process when it can no longer keep its claims.

A process that is frozen holds its calls open at the model server after their leases are given to others (I5), and
posts late what another has posted since (I4). It cannot close a connection; `kill -9` of it does, and works on the
frozen. So a child in a session of its own waits at a pipe, and is told until when all is well.
"""

import math
import os
import select
import signal
import struct
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

log = structlog.get_logger()

# Before a lease runs out: the time to close a connection, and for the server to hear of it.
MARGIN = timedelta(seconds=5)

# A child that wakes up this late was frozen itself, as in a machine that was paused: then its parent may speak first.
LATE = timedelta(seconds=5)

_MOMENT = struct.Struct("d")


class Deadman:
    """What this process has claimed, and until when. Until `start` it only keeps count.

    `clock` gives monotonic seconds, which are the same in all processes of a machine.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[int, float] = {}
        self._lock = threading.Lock()
        self._pipe: int | None = None

    def start(self) -> None:
        """Begin to watch; in a process that has no threads yet."""
        reading, writing = os.pipe()
        parent = os.getpid()
        if parent == 1:
            # The kernel keeps signals of a container's own from its process 1: it needs an init, as `docker --init`.
            log.warning("deadman.powerless")
        if os.fork() == 0:
            os.close(writing)
            _be_a_child(reading, parent)
        os.close(reading)
        os.set_blocking(writing, False)
        self._pipe = writing

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
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, _MOMENT.pack(min(self._until.values(), default=math.inf)))
        except BlockingIOError:
            pass  # It is frozen too; what it reads first when it wakes up is late, and it waits for more.
        except BrokenPipeError:
            log.warning("deadman.gone")
            self._pipe = None


def _be_a_child(pipe: int, parent: int) -> None:
    """Never returns: what is behind it belongs to the parent."""
    code = 1
    try:
        os.setsid()
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # It ends with its parent, which may take a while to end.
            signal.signal(each, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            # Whoever reads the parent's output is to see its end.
            os.dup2(nothing, standard)
        watch(pipe, lambda: os.kill(parent, signal.SIGKILL))
        code = 0
    finally:
        os._exit(code)


def watch(pipe: int, kill: Callable[[], None]) -> None:
    """Read moments from `pipe`; `kill` when one has passed. Returns after that, or when the pipe is closed."""
    until = math.inf
    while True:
        left = None if until == math.inf else max(0.0, until - time.monotonic())
        if select.select([pipe], [], [], left)[0]:
            said = os.read(pipe, 512 * _MOMENT.size)
            if not said:
                return
            (until,) = _MOMENT.unpack(said[-_MOMENT.size :])
        elif time.monotonic() - until > LATE.total_seconds():
            until = time.monotonic() + LATE.total_seconds()
        else:
            kill()
            return
