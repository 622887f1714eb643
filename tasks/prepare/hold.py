"""Keeps the claim of a job while its files are read, which may take minutes."""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.exc import DBAPIError

from db import preparing, session
from db.models import Job
from tasks.resources import Resources

log = structlog.get_logger()

# A worker that dies leaves its job to another one this much later.
LEASE = timedelta(seconds=30)
HEARTBEAT = timedelta(seconds=8)

# For all files of a request together. The pool ends the task a little later (tasks.pipeline.PREPARE_TIME_LIMIT).
WITHIN = timedelta(minutes=5)


class Lost(Exception):
    """The job was ended, or another worker has it: nothing that is read now can be written (I6)."""


class Hold:
    """One claim, from its begin on."""

    def __init__(
        self, resources: Resources, job: Job, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._resources, self._job_id, self._fence = resources, job.id, job.fence
        self._monotonic = monotonic
        self._until = monotonic() + WITHIN.total_seconds()
        self._renewed = self._tried = resources.clock()

    def left(self) -> float:
        """Seconds until all must have been read."""
        return self._until - self._monotonic()

    def keep(self) -> None:
        """Renew the lease when it is time; called all the while. Raises Lost."""
        now = self._resources.clock()
        if now - self._tried < HEARTBEAT:
            return
        self._tried = now
        try:
            with session.transaction(self._resources.engine) as transaction:
                held = preparing.renew(transaction, self._job_id, self._fence, now, LEASE)
        except DBAPIError as error:
            # The database may be back before the lease has run out.
            log.warning("lease.unrenewed", error=type(error).__name__)
            held = now - self._renewed < LEASE - HEARTBEAT
        else:
            self._renewed = now
        if not held:
            raise Lost
