"""`python -m bench.line.plain_celery BROKER MODEL_URL FILE CONCURRENCY NAME`: a worker as most people write it.

One task, one model call, `autoretry_for` with three retries and backoff. The concurrency is the limit, and each
worker has its own.
"""

import json
import os
import pathlib
import sys
import time
from typing import Any

import httpx
from celery import Celery, Task, signals

TASK = "analyze"
PATIENCE = 600


def make(broker: str, model_url: str = "", file: pathlib.Path = pathlib.Path(os.devnull)) -> Celery:
    """The application; how each task ends is a line in `file`."""
    app = Celery("plain", broker=broker, set_as_current=False)
    app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
    limits = httpx.Limits(max_connections=None)
    client = httpx.Client(timeout=PATIENCE, limits=limits, trust_env=False)

    class Noted(Task):
        def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
            _note(file, task_id, good=True)

        def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
            _note(file, task_id, good=False)

    def analyze(body: dict[str, Any]) -> str:
        response = client.post(f"{model_url}/chat/completions", json=body)
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])

    app.task(
        analyze,
        name=TASK,
        base=Noted,
        shared=False,
        autoretry_for=(httpx.HTTPError,),
        max_retries=3,
        retry_backoff=True,
    )
    return app


def _note(file: pathlib.Path, task_id: str, *, good: bool) -> None:
    line = json.dumps([task_id, good, time.time()]) + "\n"
    # One short write to the end of a file is one piece, whoever else writes.
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def main(broker: str, model_url: str, file: str, concurrency: str, name: str) -> None:
    app = make(broker, model_url, pathlib.Path(file))
    signals.setup_logging.connect(lambda **_: None, weak=False)
    pool = ["--pool=threads", f"--concurrency={concurrency}"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.start(argv=["--quiet", "worker", f"--hostname={name}@%h", *pool, *quiet])


if __name__ == "__main__":
    main(*sys.argv[1:])
