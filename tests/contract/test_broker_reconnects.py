"""A worker whose connection to RabbitMQ broke hears bells again."""

import contextlib
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tasks.app import make_celery
from tasks.bell import Bell
from tests import fakes, services
from tests.chaos.links import Network
from tests.contract.busy_worker import THREADS

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    made.start()
    yield made
    made.stop()


@contextlib.contextmanager
def _working(broker_url: str, folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A busy worker; its log."""
    log = folder / "log"
    with log.open("wb") as said:
        command = [sys.executable, "-m", "tests.contract.busy_worker", broker_url, str(folder)]
        worker = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
    services.guardian().watch(worker.pid)
    try:
        yield log
    finally:
        worker.kill()
        worker.wait()
        services.guardian().forget(worker.pid)


def test_bells_are_heard_again_though_all_threads_were_busy(
    rabbitmq_url: str, network: Network, tmp_path: pathlib.Path
) -> None:
    """With every thread at work when the connection broke, more waiting in the worker, and all of it done since."""
    port = urlsplit(rabbitmq_url).port
    link = network.add("broker", ("127.0.0.1", port))
    bell = Bell(make_celery(fakes.settings(broker_url=rabbitmq_url)))

    def heard() -> int:
        return len(list(tmp_path.glob("heard-*")))

    with _working(rabbitmq_url.replace(f":{port}", f":{link.port}"), tmp_path) as log:
        # As many again wait in the worker.
        for number in range(2 * THREADS):
            bell.ring_deliver(str(number))
        services.wait_for(lambda: heard() == THREADS, 60, "all threads are busy")
        network.fault("broker", "cut")
        services.wait_for(lambda: b"Connection to broker lost" in log.read_bytes(), 30, "the worker sees it")
        (tmp_path / "go").touch()
        for number in range(2 * THREADS, 5 * THREADS):
            bell.ring_deliver(str(number))
        services.wait_for(lambda: heard() == 5 * THREADS, 25, "what was rung since is heard")
