"""The product's processes, each started again whenever it ends: what a process manager does."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping

from tests import services

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESTART_SECONDS = 0.5


class Process:
    """One process and the thread that starts it again; every life writes to a log of its own."""

    def __init__(
        self, name: str, command: list[str], environment: Mapping[str, str], folder: pathlib.Path
    ) -> None:
        self.name, self._command, self._environment, self._folder = name, command, environment, folder
        self.lives = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def log(self, life: int) -> pathlib.Path:
        return self._folder / f"{self.name}.{life}.log"

    def signal(self, how: signal.Signals) -> tuple[int, int] | None:
        """Signal the process and its children; returns its life and group, None when it is not running."""
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                return None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            return self.lives, process.pid

    def end(self) -> None:
        """No more lives after this one, which gets a while to end."""
        self._ending.set()
        self.signal(signal.SIGCONT)
        with self._lock:
            process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
        self._thread.join(10)

    def _supervise(self) -> None:
        while not self._ending.is_set():
            with self._lock:
                self.lives += 1
                with self.log(self.lives).open("ab") as log:
                    self._process = subprocess.Popen(
                        self._command,
                        cwd=ROOT,
                        env=dict(self._environment),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
            process = self._process
            services.guardian().watch(process.pid)
            process.wait()
            with contextlib.suppress(ProcessLookupError):
                # A pool's children end with it.
                os.killpg(process.pid, signal.SIGKILL)
            services.guardian().forget(process.pid)
            self._ending.wait(RESTART_SECONDS)


class Fleet:
    """All of them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self.processes: dict[str, Process] = {}

    def add(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        made = Process(name, [sys.executable, "-m", *command], environment, self._folder)
        self.processes[name] = made
        made.start()

    def kill(self, name: str) -> int | None:
        """`kill -9`; returns the life that it ended."""
        found = self.processes[name].signal(signal.SIGKILL)
        return found[0] if found else None

    def freeze(self, name: str) -> Callable[[], None]:
        """SIGSTOP; returns what lets the same process go on, if it still is there."""
        found = self.processes[name].signal(signal.SIGSTOP)

        def thaw() -> None:
            if found is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(found[1], signal.SIGCONT)

        return thaw

    def end(self) -> None:
        threads = [threading.Thread(target=process.end) for process in self.processes.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def logs(self) -> str:
        """All that the processes wrote."""
        return "\n".join(file.read_text(errors="replace") for file in sorted(self._folder.glob("*.log")))
