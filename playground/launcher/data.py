"""The data directory: one launcher at a time."""

import contextlib
import fcntl
import os
import pathlib
import time

from playground.launcher.plan import Refusal

# The guardian of a launcher that was ended with `kill -9` holds the lock until it has ended what was left.
CLEAN_UP_SECONDS = 10


class DataDirectory:
    def __init__(self, path: pathlib.Path) -> None:
        """Makes the directory and takes its lock; raises Refusal."""
        self.path = path
        self.logs = path / "logs"
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self.lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            (path / ".gitignore").write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise Refusal(
                f"{path} cannot be written to ({error.strerror}): choose another folder with --data, or mend its permissions."
            ) from error
        self._take()

    def _take(self) -> None:
        deadline = time.monotonic() + CLEAN_UP_SECONDS
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            holder, address = self._holder()
            if holder and is_alive(holder):
                raise Refusal(
                    f"Threadline already runs on {self.path} (process {holder}{address and f', {address}'}): "
                    "use that one, end it with Ctrl-C, or choose another folder with --data."
                )
            if time.monotonic() > deadline:
                raise Refusal(
                    f"What an earlier run left on {self.path} does not end; see `ps` for python and valkey."
                )
            time.sleep(0.1)
        self.describe("")

    def describe(self, address: str) -> None:
        """Leaves for a second launcher who holds the lock, and where."""
        os.ftruncate(self.lock, 0)
        os.pwrite(self.lock, f"{os.getpid()} {address}\n".encode(), 0)

    def leave_env(self, lines: str) -> None:
        """For commands at a terminal, such as the doctor: the settings that are in no `.env`."""
        (self.path / "env").write_text(lines, encoding="utf-8")

    def _holder(self) -> tuple[int, str]:
        pid, _, address = os.pread(self.lock, 200, 0).decode(errors="replace").strip().partition(" ")
        return (int(pid) if pid.isdecimal() else 0), address


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
