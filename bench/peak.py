"""`python bench/peak.py <seconds> <command...>`: run a command; print its exit code, seconds and peak memory as JSON.

A process counts as its peak what its parent held when it was forked, so the parent must be as small as this one.
"""

import json
import os
import signal
import sys
import time

KIB = 1024


def main(limit: str, *command: str) -> int:
    """0: the line is printed, however the command ended."""
    begun = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ, setpgroup=0)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(pid, signal.SIGKILL))
    signal.alarm(int(limit))
    _, status, used = os.wait4(pid, 0)
    seconds = round(time.monotonic() - begun, 3)
    code = os.waitstatus_to_exitcode(status)
    print(json.dumps({"code": code, "seconds": seconds, "peak_mb": round(used.ru_maxrss * KIB / 1e6, 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
