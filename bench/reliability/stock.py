"""`python -m bench.reliability.stock NAME BROKER LEDGER`: a worker of stock Celery, set up as its guides recommend.

Late acknowledgement, a prefetch of one, and the quickest redelivery that kombu 5.7 has; the visibility timeout is
Threadline's lease.
"""

import sys
import time

import redis
from celery import Celery, signals

TASK_SECONDS = 0.05
THREADS = 8
VISIBLE_AGAIN_SECONDS = 30


def make(broker: str) -> Celery:
    app = Celery("stock", broker=broker, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": VISIBLE_AGAIN_SECONDS,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        },
        worker_hijack_root_logger=False,
    )
    return app


def main(name: str, broker: str, ledger: str) -> None:
    app = make(broker)
    seen = redis.Redis.from_url(ledger)

    def work(number: int) -> None:
        seen.rpush(f"began:{number}", f"{name} {time.time():.3f}")
        time.sleep(TASK_SECONDS)
        seen.incr(f"ended:{number}")

    app.task(work, name="work", shared=False)
    signals.setup_logging.connect(lambda **_: None, weak=False)
    words = [f"--hostname={name}@%h", "--pool=threads", f"--concurrency={THREADS}"]
    app.start(argv=["--quiet", "worker", *words, "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    main(*sys.argv[1:])
