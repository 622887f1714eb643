"""The Celery tasks: doors that open context and call the stage behind them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from celery import Celery

from tasks.app import DELIVER, INFER, PREPARE, SWEEP
from tasks.deliver.stage import deliver
from tasks.infer.stage import infer
from tasks.prepare.stage import TIME_LIMIT, prepare
from tasks.resources import Resources
from tasks.sweep import sweep

log = structlog.get_logger()


def install(celery: Celery, resources: Resources) -> None:
    """Give `celery` the four tasks, working with `resources`."""
    limit = TIME_LIMIT.total_seconds()

    def prepare_door(job_id: str) -> None:
        with _door(PREPARE, job_id=job_id):
            prepare(resources, job_id)

    def infer_door(backend: str) -> None:
        with _door(INFER, backend=backend):
            infer(resources, backend)

    def deliver_door(lane: str) -> None:
        with _door(DELIVER, lane=lane):
            deliver(resources, lane)

    def sweep_door() -> None:
        with _door(SWEEP):
            sweep(resources)

    _add(celery, PREPARE, prepare_door, time_limit=limit)
    _add(celery, INFER, infer_door)
    _add(celery, DELIVER, deliver_door)
    _add(celery, SWEEP, sweep_door)


def _add(celery: Celery, name: str, door: Callable[..., None], **options: float) -> None:
    celery.task(door, name=name, **options)


@contextmanager
def _door(task: str, **context: str) -> Iterator[None]:
    """Bind the context, and log what gets out. Nothing is lost by it: the rows stand, and the sweep rings."""
    structlog.contextvars.bind_contextvars(**context)
    try:
        yield
    except Exception:
        log.exception("task.broke", task=task)
    finally:
        structlog.contextvars.clear_contextvars()
