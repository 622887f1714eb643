"""`python -m tests.contract.busy_worker BROKER_URL FOLDER`: a worker with the product's settings, whose bells wait in
FOLDER: each says there that it is heard, and ends when there is a file `go`."""

import pathlib
import sys
import time

from tasks.app import DELIVER, make_celery
from tests import fakes

THREADS = 4


def main(broker_url: str, folder: pathlib.Path) -> None:
    celery = make_celery(fakes.settings(broker_url=broker_url))

    @celery.task(name=DELIVER)
    def deliver(lane: str) -> None:
        (folder / f"heard-{lane}").touch()
        while not (folder / "go").exists():
            time.sleep(0.02)

    # As in tasks.worker.
    celery.Worker(
        hostname="busy@%h",
        queues=[DELIVER],
        pool="threads",
        concurrency=THREADS,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
