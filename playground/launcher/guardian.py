"""Ends what a dead parent left running.

A parent that is ended with `kill -9` cannot stop its children. The guardian is a tiny shell that holds one end of
a pipe: when the other end closes without a farewell, it ends every process group it was told of. Unlike Linux'
PR_SET_PDEATHSIG this works on macOS too, and reaches grandchildren.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence

# Lines: `+N` a group to guard, `-N` a group that ended. The trap keeps signals to the parent's terminal away.
SCRIPT = """
trap '' INT TERM HUP
groups=' '
while read -r line; do
    case $line in
    +*) groups="$groups${line#+} " ;;
    -*) groups="${groups%% ${line#-} *} ${groups#* ${line#-} }" ;;
    esac
done
for signal in TERM KILL; do
    for group in $groups; do kill -s $signal -- "-$group" 2>/dev/null; done
    [ $signal = KILL ] || sleep "$GRACE_SECONDS"
done
"""


class Guardian:
    def __init__(self, grace_seconds: float = 3, keep_open: Sequence[int] = ()) -> None:
        """`keep_open`: file descriptors, such as a lock's, that stay open until the guardian has done its work."""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=keep_open,
            cwd="/",
            env={"PATH": os.defpath, "GRACE_SECONDS": str(grace_seconds)},
        )

    def watch(self, group: int) -> None:
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}")

    def dismiss(self) -> None:
        """Ends the guardian and nothing else."""
        self._shell.kill()
        self._shell.wait()
        if self._shell.stdin:
            with contextlib.suppress(OSError):
                self._shell.stdin.close()

    def _tell(self, line: str) -> None:
        # Someone may have ended the guardian; the parent goes on without.
        with contextlib.suppress(OSError):
            if self._shell.stdin:
                self._shell.stdin.write(f"{line}\n".encode())
                self._shell.stdin.flush()
