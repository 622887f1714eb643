"""Workers for the tests of the line: they claim and finish until nothing is left, and count calls in flight."""

import multiprocessing
import threading
from datetime import timedelta
from typing import Protocol

import sqlalchemy as sa

from db import leases, line, session
from tests.fakes import LEASE, NOW


class Slots(Protocol):
    """A semaphore of threads or of processes, which knows nothing of the database: the model server's count."""

    def acquire(self, block: bool = True) -> bool: ...

    def release(self) -> None: ...


def work(engine: sa.Engine, slots: Slots) -> tuple[list[int], int]:
    """Claim and answer steps until the line is empty; the ids of those claimed, and how many were too many."""
    claimed_ids: list[int] = []
    too_many = 0
    while True:
        with session.transaction(engine) as transaction:
            claimed = line.claim(transaction, "main", NOW, LEASE)
        if claimed is None:
            with session.reading(engine) as reading:
                if not _left(reading):
                    return claimed_ids, too_many
            continue
        claimed_ids.append(claimed.step_id)
        fits = slots.acquire(False)
        too_many += not fits
        with session.transaction(engine) as transaction:
            leases.renew(transaction, claimed, "so far", 1, NOW, LEASE + timedelta(seconds=1))
        if fits:
            slots.release()
        with session.transaction(engine) as transaction:
            leases.finish(transaction, claimed, "answer", 1, 1, truncated=False, now=NOW)


def _left(reading: sa.orm.Session) -> int:
    waiting = sa.text("SELECT count(*) FROM steps WHERE state = 'waiting'")
    return int(reading.scalar(waiting) or 0)


def process(
    url: str, threads: int, slots: Slots, found: "multiprocessing.Queue[tuple[list[int], int]]"
) -> None:
    """A worker process with some threads; puts what they found on a queue."""
    engine = session.connect(url)
    results: list[tuple[list[int], int]] = []
    workers = [threading.Thread(target=lambda: results.append(work(engine, slots))) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    engine.dispose()
    found.put(([step for steps, _ in results for step in steps], sum(many for _, many in results)))
