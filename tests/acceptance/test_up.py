"""`make run` for real: every process, the embedded broker and the playground, from start to the last one's end."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator

import psutil
import pytest

from playground.launcher import procfile
from tests import services

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Room for two processors that are busy with other tests.
START_SECONDS = 60
# What a person would wait after Ctrl-C (issue 2).
STOP_SECONDS = 12

pytestmark = pytest.mark.timeout(240)


class Launcher:
    """A launcher on a data directory of its own, with nothing configured."""

    def __init__(
        self, data: pathlib.Path, port_base: int, *, terminal: int | None = None, **settings: str
    ) -> None:
        self.data = data
        self.bot = f"http://127.0.0.1:{port_base}"
        self.page = f"http://127.0.0.1:{port_base + 10}"
        self.output = data.parent / f"output-{time.monotonic_ns()}"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "playground",
                    "up",
                    "--data",
                    str(data),
                    "--port-base",
                    str(port_base),
                ],
                cwd=ROOT,
                env=bare_environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=output if terminal is None else terminal,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_until_running(self) -> None:
        def running() -> bool:
            assert self.process.poll() is None, self.said()
            return "Threadline is running" in self.said()

        services.wait_for(running, START_SECONDS, "the greeting")

    def wait_for_end(self, limit: float = STOP_SECONDS) -> int:
        return self.process.wait(limit)


def bare_environment(settings: dict[str, str]) -> dict[str, str]:
    """What a newcomer's shell has, and what coverage needs to follow."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    bare = {name: value for name, value in os.environ.items() if name in kept or name.startswith("COVERAGE")}
    return bare | settings


@pytest.fixture
def data() -> Iterator[pathlib.Path]:
    """A short path, so that the broker's socket lies inside."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="threadline-up-"))
    try:
        yield folder / "data"
    finally:
        for process in left_on(folder):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def launch(data: pathlib.Path) -> Iterator[Callable[..., Launcher]]:
    """Launcher's constructor; what a failed test leaves running is ended."""
    started: list[Launcher] = []

    def start(*arguments: object, **keywords: object) -> Launcher:
        started.append(Launcher(data, *arguments, **keywords))
        return started[-1]

    yield start
    for launcher in started:
        launcher.process.kill()
        launcher.process.wait()


@pytest.fixture
def port_base() -> int:
    while True:
        port = services.free_port()
        with contextlib.suppress(OSError), socket.socket() as second:
            second.bind(("127.0.0.1", port + 10))
            return port


def left_on(folder: pathlib.Path) -> list[psutil.Process]:
    """Every process that works on a data directory: its settings or arguments name it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            named = [*process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(str(folder) in word for word in named):
                found.append(process)
    return found


def get(address: str) -> int:
    with urllib.request.urlopen(address, timeout=5) as response:
        return response.status


def test_it_starts_everything_and_ctrl_c_leaves_nothing(launch, data, port_base) -> None:
    launcher = launch(port_base)
    launcher.wait_until_running()
    assert get(f"{launcher.bot}/readyz") == 200
    assert get(launcher.page) == 200
    logs = {path.stem for path in (data / "logs").glob("*.log")}
    assert logs == {*procfile.read(ROOT / "Procfile"), "broker", "playground"}
    assert launcher.page in launcher.said()

    launcher.process.send_signal(signal.SIGINT)
    assert launcher.wait_for_end() == 0, launcher.said()
    assert left_on(data) == []
    assert "Traceback" not in launcher.said()

    again = launch(port_base)
    again.wait_until_running()
    again.process.send_signal(signal.SIGTERM)
    assert again.wait_for_end() == 0, again.said()
    assert left_on(data) == []


def test_a_killed_process_is_started_again(launch, data, port_base) -> None:
    launcher = launch(port_base)
    launcher.wait_until_running()
    victim = next(p for p in left_on(data) if p.cmdline()[-2:] == ["tasks", "deliver"])
    victim.kill()
    services.wait_for(
        lambda: "deliver ended (killed by SIGKILL) and is started again" in launcher.said(),
        START_SECONDS,
        "the restart",
    )
    launcher.process.send_signal(signal.SIGINT)
    assert launcher.wait_for_end() == 0, launcher.said()
    assert left_on(data) == []


def test_kill_9_of_the_launcher_leaves_nothing_and_the_next_start_works(launch, data, port_base) -> None:
    launcher = launch(port_base)
    launcher.wait_until_running()
    launcher.process.kill()
    launcher.wait_for_end()

    again = launch(port_base)  # At once: it waits until the guardian has cleaned up.
    again.wait_until_running()
    again.process.send_signal(signal.SIGHUP)
    assert again.wait_for_end() == 0, again.said()
    assert left_on(data) == []


def test_a_terminal_that_goes_away_stops_everything(launch, data, port_base) -> None:
    """Also where SIGHUP goes to `make` alone, as with `ssh -t host make run`."""
    outside, inside = os.openpty()
    launcher = launch(port_base, terminal=inside)
    os.close(inside)
    said = ""
    while "Threadline is running" not in said:  # Ends: at the latest with OSError, when the launcher does.
        said += os.read(outside, 4096).decode(errors="replace")
    os.close(outside)
    assert launcher.wait_for_end() == 0
    assert left_on(data) == []


def test_a_second_launcher_on_the_same_data_says_so(launch, data, port_base) -> None:
    launcher = launch(port_base)
    launcher.wait_until_running()
    second = launch(services.free_port())
    assert second.wait_for_end(START_SECONDS) == 1
    assert f"already runs on {data} (process {launcher.process.pid}, {launcher.page})" in second.said()
    assert get(f"{launcher.bot}/readyz") == 200
    launcher.process.send_signal(signal.SIGINT)
    assert launcher.wait_for_end() == 0, launcher.said()


def test_a_taken_port_is_named_and_nothing_starts(launch, data, port_base) -> None:
    with socket.create_server(("127.0.0.1", port_base)):
        launcher = launch(port_base)
        assert launcher.wait_for_end(START_SECONDS) == 1
    assert f"Port {port_base} is taken by another program" in launcher.said()
    assert left_on(data) == []


def test_a_wrong_setting_is_named_and_everything_stops(launch, data, port_base) -> None:
    launcher = launch(port_base, LLM_LIMIT="many")
    assert launcher.wait_for_end(START_SECONDS) == 2, launcher.said()
    assert "LLM_LIMIT" in launcher.said()
    assert "Traceback" not in launcher.said()
    assert left_on(data) == []


def test_a_folder_that_cannot_be_made_is_named(launch, data, port_base) -> None:
    data.touch()
    launcher = launch(port_base)
    assert launcher.wait_for_end(START_SECONDS) == 1
    assert f"{data} cannot be written to" in launcher.said()
