"""The only publisher: "look, there may be work". A bell that is not heard costs seconds, never a job."""

import queue
import threading
from datetime import timedelta

import structlog
from celery import Celery
from kombu.exceptions import ChannelError

from tasks.app import DELIVER, INFER, PREPARE

log = structlog.get_logger()

# Bells that nobody heard for this long are dropped unread: by then the sweep has rung again many times.
EXPIRES = timedelta(seconds=30)

# More than this many unsent bells means that the broker is away; the sweep rings for all of them later.
MOST_UNSENT = 1000


class Bell:
    """Publishes from a thread of its own, so that a broker that hangs never delays an acknowledgement."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._unsent: queue.Queue[tuple[str, str]] = queue.Queue(MOST_UNSENT)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring_prepare(self, job_id: str) -> None:
        """A job was received."""
        self._ring(PREPARE, job_id)

    def ring_infer(self, backend: str, times: int = 1) -> None:
        """Up to `times` steps may be claimed at `backend`."""
        for _ in range(times):
            self._ring(INFER, backend)

    def ring_deliver(self, lane: str) -> None:
        """Something is to be posted in `lane`."""
        self._ring(DELIVER, lane)

    def is_silent(self, queue: str) -> bool:
        """Whether no bell waits in the broker's queue: else whoever listens there will look anyway."""
        try:
            with self._celery.connection_for_read() as connection:
                # Once: a sweep does not wait for a broker to come back.
                connection.ensure_connection(max_retries=0, timeout=connection.connect_timeout)
                return not connection.default_channel.queue_declare(queue, passive=True).message_count
        except ChannelError:
            # Redis has no empty queues, and RabbitMQ none before its first worker.
            return True
        except Exception as error:  # noqa: BLE001  # A door: with the broker away, ringing does no harm either.
            log.warning("bell.unknown", task=queue, error=type(error).__name__)
            return True

    def flush(self, limit: timedelta) -> None:
        """Wait until what was rung is sent, at most `limit`; for a process that is about to end."""
        with self._unsent.all_tasks_done:
            self._unsent.all_tasks_done.wait_for(
                lambda: not self._unsent.unfinished_tasks, limit.total_seconds()
            )

    def _ring(self, task: str, argument: str) -> None:
        try:
            self._unsent.put_nowait((task, argument))
        except queue.Full:
            log.warning("bell.dropped", task=task)
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        # Started at the first bell, not before: a thread made before a fork does not live in the child.
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._publish, name="bell", daemon=True)
                self._thread.start()

    def _publish(self) -> None:
        while True:
            task, argument = self._unsent.get()
            try:
                self._celery.send_task(
                    task, args=[argument], queue=task, expires=EXPIRES.total_seconds(), retry=False
                )
            except Exception as error:  # noqa: BLE001  # A door: the rows stand, and the sweep rings again.
                log.warning("bell.unheard", task=task, error=type(error).__name__)
            finally:
                self._unsent.task_done()
