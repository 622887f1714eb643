"""The Celery application: bells only, no results, no retries of its own (DESIGN section 9)."""

from datetime import timedelta

from celery import Celery
from kombu.entity import Queue

from tasks.settings import Settings

PREPARE, INFER, DELIVER, SWEEP = "prepare", "infer", "deliver", "sweep"

SWEEP_EVERY = 1.0  # seconds; with the bells, the longest that due work goes unnoticed
# Longer without a sweep is worth a word: a deploy of the workers may take most of a minute.
SWEEP_WITHIN = timedelta(minutes=1)


def make_celery(settings: Settings) -> Celery:
    """A Celery application for `settings`; connects to nothing yet."""
    url = settings.broker_url.get_secret_value()
    celery = Celery("threadline", broker=url, set_as_current=False)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_queues=[Queue(name) for name in (PREPARE, INFER, DELIVER, SWEEP)],
        task_create_missing_queues=False,
        task_routes={name: {"queue": name} for name in (PREPARE, INFER, DELIVER, SWEEP)},
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        # Celery 5.7 lowers the prefetch count when a busy worker connects again. On RabbitMQ the worker was then deaf:
        # it took one bell at the most, until the connection broke once more (tests/contract/test_broker_reconnects.py).
        worker_enable_prefetch_count_reduction=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # How long the pool looks for the result of a process that died, before it says so (tasks.children).
        worker_lost_wait=1.0,
        # What runs gets its time from us (tasks.stopping); SIGQUIT, which asks Celery, is for those in a hurry.
        worker_soft_shutdown_timeout=0.0,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=4,
        broker_transport_options=_transport(url),
        # Beat keeps no file: losing the time of its last sweep costs one second.
        beat_scheduler="celery.beat:Scheduler",
        beat_max_loop_interval=SWEEP_EVERY,
        beat_schedule={
            SWEEP: {
                "task": SWEEP,
                "schedule": SWEEP_EVERY,
                # Sweeps that piled up while no worker listened are worth nothing.
                "options": {"queue": SWEEP, "expires": 5 * SWEEP_EVERY},
            }
        },
    )
    return celery


def _transport(url: str) -> dict[str, object]:
    if url.startswith("amqp"):
        return {"confirm_publish": True}
    # A half-open connection to Redis would otherwise hang a worker for ever (facts: kombu 5.7).
    options: dict[str, object] = {"health_check_interval": 10, "socket_timeout": 15}
    if not url.startswith("redis+socket"):
        options |= {"socket_connect_timeout": 5, "socket_keepalive": True}
    return options
