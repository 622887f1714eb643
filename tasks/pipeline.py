"""The Celery tasks: doors that open context and call the stage behind them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from celery import Celery

from tasks.app import DELIVER, INFER, PREPARE, SWEEP
from tasks.resources import Resources

log = structlog.get_logger()

Stage = Callable[..., None]

# The pool ends a task of `prepare` after this: longer than reading may take (tasks.prepare.hold.WITHIN). Until then
# it renews its claim; should it hang, another worker takes the job, and the fence keeps them apart (I6).
PREPARE_TIME_LIMIT = timedelta(minutes=6)


def install(celery: Celery, process: str, resources: Resources) -> list[str]:
    """Give `celery` the tasks of one process, working with `resources`; returns their names, which are its queues."""
    stages = _stages(process)
    for name, stage in stages.items():
        # Time limits do nothing in the threads pool: there every call carries its own deadline.
        limit = PREPARE_TIME_LIMIT.total_seconds() if name == PREPARE else None
        celery.task(_door(name, stage, resources), name=name, time_limit=limit)
    return list(stages)


def _stages(process: str) -> dict[str, Stage]:
    """The stages of a process. It loads no others: what they import would be memory for nothing."""
    match process:
        case "prepare":
            from tasks.prepare.stage import prepare  # See above.

            return {PREPARE: prepare}
        case "infer":
            from tasks.infer.stage import infer

            return {INFER: infer}
        case "deliver":
            from tasks.deliver.stage import deliver
            from tasks.sweep import sweep

            return {DELIVER: deliver, SWEEP: sweep}
        case _:
            raise ValueError(process)


def _door(name: str, stage: Stage, resources: Resources) -> Callable[..., None]:
    """A task of at most one argument: a job's id, a backend's name, or a lane's."""

    def door(argument: str | None = None) -> None:
        if resources.stopping.is_set():
            # The bell came with others that were fetched together; the sweep rings again for somebody else.
            return
        with _context(name, argument):
            stage(resources, *([] if argument is None else [argument]))

    return door


@contextmanager
def _context(name: str, argument: str | None) -> Iterator[None]:
    """Bind the context, and log what gets out. Nothing is lost by it: the rows stand, and the sweep rings."""
    structlog.contextvars.bind_contextvars(task=name, on=argument)
    try:
        yield
    except Exception:  # A door.
        log.exception("task.broke")
    finally:
        structlog.contextvars.clear_contextvars()
