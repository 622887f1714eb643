"""Keeps a claim while its call runs: renews the lease, and notices when the answer is no longer wanted."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import line, session
from db.line import Claimed
from tasks.resources import Resources

log = structlog.get_logger()

# DESIGN section 5: leases last 30 s and are renewed by the stream's heartbeat, which also counts the tokens so far.
LEASE = timedelta(seconds=30)
HEARTBEAT = timedelta(seconds=10)

# Whoever cancels frees the server within about this: the look takes no lock.
LOOK = timedelta(seconds=1)


class Hold:
    """One claim, from its begin on."""

    def __init__(self, resources: Resources, claimed: Claimed) -> None:
        self._resources, self._claimed = resources, claimed
        self._renewed = self._tried = self._looked = resources.clock()

    def stands(self, text: str, tokens_out: int) -> bool:
        """Whether to go on with the call; asked all the time, it asks the database once a second."""
        if self._resources.stopping.is_over():
            return False
        now = self._resources.clock()
        if now - self._looked < LOOK:
            return True
        self._looked = now
        try:
            if not self._ask(text, tokens_out, now):
                return False
        except SQLAlchemyError as error:
            log.warning("lease.unrenewed", error=type(error).__name__)
        # The database may be back before the lease has run out; after two missed renewals it may not. Looked at
        # after the question: a database that froze answers it, when it wakes, as of the time when it was asked.
        return self._resources.clock() - self._renewed < LEASE - HEARTBEAT

    def _ask(self, text: str, tokens_out: int, now: datetime) -> bool:
        heartbeats = self._resources.heartbeats
        if now - self._tried < HEARTBEAT:
            with session.reading(heartbeats) as reading:
                return line.is_wanted(reading, self._claimed)
        self._tried = now
        with session.transaction(heartbeats) as transaction:
            held = line.renew(transaction, self._claimed, text, tokens_out, now, LEASE)
        self._renewed = now
        if held:
            left = now + LEASE - self._resources.clock()
            self._resources.deadman.hold(self._claimed, left)
        return held
