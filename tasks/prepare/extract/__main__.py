"""`python -m tasks.prepare.extract <file> <name> <hint> <out> <seconds> [seen]`: read one file within limits, in this
process; with `seen` a picture is made ready for a model that sees.

What it finds, a document or a problem, goes to <out> (`wire`). It begins by limiting itself, so that whatever a
parser does to it ends here.
"""

import os
import resource
import signal
import sys
from pathlib import Path

from tasks.prepare.extract import archive, kinds, leash, limits, reader, wire
from tasks.prepare.extract.problem import Problem


def main(file: str, name: str, hint: str, out: str, seconds: str, *more: str) -> int:
    """0: <out> says what was found."""
    _limit(float(seconds))
    with Path(out).open("w", encoding="utf-8", errors="replace") as written:
        try:
            kind = kinds.of(Path(file), name, hint)
            if kind == "zip":
                wire.write_members(written, archive.unpack(Path(file), Path(out).parent))
            else:
                wire.write(written, reader.read(Path(file), name, kind, seen="seen" in more))
        except Problem as problem:
            wire.write_problem(written, problem)
        except MemoryError:
            return os.EX_OSERR
    return 0


def _limit(seconds: float) -> None:
    leash.put_on()
    # The alarm has no handler, so that it also ends this process in the middle of a C call, and when nobody waits
    # for it any more.
    signal.setitimer(signal.ITIMER_REAL, seconds)
    resource.setrlimit(resource.RLIMIT_AS, (limits.MEMORY_BYTES, limits.MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.SECONDS, limits.SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.WRITTEN_BYTES, limits.WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
