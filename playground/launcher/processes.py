"""Child processes: started in groups of their own, heard line by line, stopped to the last grandchild."""

import collections
import contextlib
import dataclasses
import logging
import logging.handlers
import os
import pathlib
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from playground.launcher.guardian import Guardian

LOG_BYTES = 10_000_000
TAIL_LINES = 15
STYLING = re.compile(r"\x1b\[[0-9;]*m")
# The ways in which structlog, Celery, uvicorn and Python's logging name a level near the start of a line.
LEVEL = re.compile(
    r"""\[\s*(?P<structlog>[a-z]+)\s*\]
      | :\s(?P<celery>[A-Z]+)/
      | ^(?P<uvicorn>[A-Z]+):
      | "level":\s?"(?P<json>[a-z]+)"
      | ^(?P<python>Traceback)\s\(most""",
    re.VERBOSE,
)
QUIET = {"debug", "info", "notice"}
LOUD = {"warning", "warn", "error", "critical", "exception", "fatal", "traceback"}


class Listener:
    """Decides which of a process's lines a person wants to see: warnings, errors, and the lines that follow them."""

    def __init__(self) -> None:
        self._showing = False

    def wants(self, line: str) -> bool:
        found = LEVEL.search(line)
        level = (found.group(found.lastgroup or 0) if found else "").lower()
        if level in QUIET | LOUD:
            self._showing = level in LOUD
        return self._showing


@dataclasses.dataclass
class Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes]
    log: logging.handlers.RotatingFileHandler
    listener: Listener = dataclasses.field(default_factory=Listener)
    # The latest lines that nobody has been shown.
    tail: collections.deque[str] = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=TAIL_LINES)
    )
    rest: bytes = b""

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.process.returncode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"


class Crew:
    def __init__(
        self,
        root: pathlib.Path,
        logs: pathlib.Path,
        guardian: Guardian,
        show: Callable[[str, str], None],
        *,
        verbose: bool = False,
    ) -> None:
        """`show(name, line)` is called for the lines that a person should see; `verbose`: for all."""
        self._root = root
        self._logs = logs
        self._guardian = guardian
        self._show = show
        self._verbose = verbose
        self._selector = selectors.DefaultSelector()
        self.children: dict[str, Child] = {}

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> Child:
        """Starts a process; its log of an earlier run is kept as `<name>.log.1`."""
        log = logging.handlers.RotatingFileHandler(
            self._logs / f"{name}.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8", errors="replace"
        )
        if name not in self.children and pathlib.Path(log.baseFilename).stat().st_size:
            log.doRollover()
        process = subprocess.Popen(
            command,
            cwd=self._root,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._guardian.watch(process.pid)
        child = Child(name, command, process, log)
        self.children[name] = child
        if process.stdout:
            os.set_blocking(process.stdout.fileno(), False)
            self._selector.register(process.stdout, selectors.EVENT_READ, child)
        return child

    def turn(self, seconds: float) -> list[Child]:
        """Passes on what the children say for up to `seconds`; returns those that ended."""
        for key, _ in self._selector.select(seconds):
            self._hear(key.data)
        ended = [child for child in self.running() if child.process.poll() is not None]
        for child in ended:
            self._bury(child)
        return ended

    def running(self) -> list[Child]:
        return [
            child
            for child in self.children.values()
            if child.process.stdout and not child.process.stdout.closed
        ]

    def stop(self, children: Sequence[Child], limit_seconds: float, hurry: Callable[[], bool]) -> None:
        """Asks them to end; after `limit_seconds`, or once `hurry()`, ends them by force."""
        for child in children:
            child.process.terminate()
        deadline = time.monotonic() + limit_seconds
        while left := [child for child in self.running() if child in children]:
            if time.monotonic() > deadline or hurry():
                for child in left:
                    end_group(child.process.pid)
            self.turn(0.05)

    def _hear(self, child: Child) -> bool:
        """Reads what is there; False at the end of the file, or when nothing is there now."""
        if child.process.stdout is None:
            return False
        try:
            data = os.read(child.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        *lines, child.rest = (child.rest + data).split(b"\n")
        for line in lines:
            self._note(child, line)
        if not data:
            self._unregister(child)
        return bool(data)

    def _unregister(self, child: Child) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.process.stdout)  # type: ignore[arg-type] # None raises ValueError.

    def _note(self, child: Child, raw: bytes) -> None:
        line = raw.decode("utf-8", errors="replace").rstrip()
        plain = STYLING.sub("", line)
        child.log.emit(logging.LogRecord(child.name, logging.INFO, "", 0, plain, (), None))
        if child.listener.wants(plain) or self._verbose:
            self._show(child.name, line)
        else:
            child.tail.append(plain)

    def _bury(self, child: Child) -> None:
        # Its own children go with it, before their output is read to the end.
        end_group(child.process.pid)
        self._guardian.forget(child.process.pid)
        while self._hear(child):
            pass
        if child.rest:
            self._note(child, child.rest)
            child.rest = b""
        self._unregister(child)
        if child.process.stdout:
            child.process.stdout.close()
        child.log.close()


def end_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies.
        os.killpg(group, signal.SIGKILL)
