"""`python -m bench.bare_celery QUEUE BROKER FILE`: a worker of a bare chain of three tasks that do nothing.

As many workers, with the same pools, as Threadline's prepare, infer and deliver.
"""

import pathlib
import sys
import threading
import time
from typing import Any

from celery import Celery, chain, signals
from kombu import Queue

from tasks.settings import Settings

QUEUES = ("first", "second", "third")


def make(broker: str, note: pathlib.Path | None = None) -> Celery:
    """The application; the last task counts, and writes `count time` to `note`."""
    app = Celery("bare", broker=broker, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_queues=[Queue(name) for name in QUEUES],
        task_routes={name: {"queue": name} for name in QUEUES},
        worker_hijack_root_logger=False,
    )
    lock = threading.Lock()
    count = 0

    def nothing() -> None:
        pass

    def last() -> None:
        nonlocal count
        with lock:
            count += 1
            if note is not None:
                note.write_text(f"{count} {time.time():.6f}")

    for name, task in zip(QUEUES, (nothing, nothing, last), strict=True):
        app.task(task, name=name, shared=False)
    return app


def send(app: Celery, jobs: int) -> None:
    """Start a chain for each job."""
    for _ in range(jobs):
        chain(*(app.signature(name, immutable=True) for name in QUEUES), app=app).apply_async()


def pool(queue: str) -> list[str]:
    """The pool of the Threadline worker that stands in this place."""
    fields: dict[str, Any] = Settings.model_fields
    place = dict(zip(QUEUES, ("prepare", "infer", "deliver"), strict=True))[queue]
    kind = "prefork" if place == "prepare" else "threads"
    return [f"--pool={kind}", f"--concurrency={fields[f'{place}_concurrency'].default}"]


def main(queue: str, broker: str, note: str) -> None:
    app = make(broker, pathlib.Path(note))
    signals.setup_logging.connect(lambda **_: None, weak=False)
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.start(argv=["--quiet", "worker", f"--queues={queue}", f"--hostname={queue}@%h", *pool(queue), *quiet])


if __name__ == "__main__":
    main(*sys.argv[1:])
