"""The parent's side: starts the child that reads one file, waits for it within limits, and takes what it found."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from tasks.prepare.extract import limits, wire
from tasks.prepare.extract.problem import Problem
from tasks.text.document import Document

log = structlog.get_logger()

_ROOT = Path(__file__).parents[3]
_LOOK = 0.5  # seconds between two renewals of the claim
# The child's own alarm comes first; this is for a child that cannot even be woken.
_GRACE = 2.0
# All that the child needs of our environment; the rest holds secrets.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "TESSDATA_PREFIX", "SYSTEMROOT")

_TIMES = {-signal.SIGALRM, -signal.SIGXCPU, -signal.SIGKILL}


def read(
    path: Path, name: str, hint: str, seconds: float, keep: Callable[[], None], *, seen: bool = False
) -> Document | list[tuple[str, str]]:
    """The document in a file, or the members (name, file) of an archive; raises Problem.

    `keep` is called all the time and may raise, which ends the child. What is unpacked lies beside the file. A picture
    that is to be `seen` by a model comes as one, and not as its text.
    """
    out = path.parent / f"out-{uuid.uuid4().hex}"
    allowed = min(seconds, limits.SECONDS)
    if allowed <= 0:
        raise Problem("time", limit=limits.SECONDS)
    try:
        arguments = [str(path), name, hint, str(out), f"{allowed:.1f}", *["seen"] * seen]
        code = _run(arguments, allowed + _GRACE, keep)
        return _found(code, out, round(allowed))
    finally:
        out.unlink(missing_ok=True)


def environment() -> dict[str, str]:
    """What the child is told of where it runs."""
    return {key: os.environ[key] for key in _PASSED_ON if key in os.environ} | {"PYTHONUTF8": "1"}


def _run(arguments: list[str], seconds: float, keep: Callable[[], None]) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.prepare.extract", *arguments],
        cwd=_ROOT,
        # What it leaves behind when it is killed goes with the folder of what it reads.
        env=environment() | {"TMPDIR": str(Path(arguments[0]).parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # Parsers complain in the words of what they read (I10).
        start_new_session=True,
    )
    try:
        left = seconds
        while left > 0:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_LOOK)
            left -= _LOOK
            keep()
        return -signal.SIGKILL
    finally:
        with suppress(ProcessLookupError):  # Its own children too, such as tesseract.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _found(code: int, out: Path, seconds: int) -> Document | list[tuple[str, str]]:
    if code in _TIMES:
        raise Problem("time", limit=seconds)
    if code == os.EX_OSERR:
        raise Problem("memory", limit=limits.MEMORY_BYTES // 1024 // 1024)
    try:
        with out.open(encoding="utf-8") as lines:
            return wire.read(lines)
    except (OSError, EOFError, ValueError) as error:
        log.warning("extract.crashed", code=code)
        raise Problem("crashed", limit=limits.MEMORY_BYTES // 1024 // 1024) from error
