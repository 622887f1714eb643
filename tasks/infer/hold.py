"""Keeps a claim while its call runs: renews the lease, stores what was written so far, and notices when the answer
is no longer wanted.
"""

from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import leases, posts, session
from db.line import Claimed
from tasks.resources import Resources

log = structlog.get_logger()

# DESIGN section 5: leases last 30 s and are renewed by the stream's heartbeat, which also counts the tokens so far.
LEASE = timedelta(seconds=30)
HEARTBEAT = timedelta(seconds=10)

# Whoever cancels frees the server within about this: the look takes no lock.
LOOK = timedelta(seconds=1)

# Characters: a longer text is stored, and so shown, with the heartbeats alone; each time all of it is written.
LONG = 20_000


class Hold:
    """One claim, from its begin on; with `previews` the job's card shows the text while it grows."""

    def __init__(self, resources: Resources, claimed: Claimed, *, previews: bool) -> None:
        self._resources, self._claimed, self._previews = resources, claimed, previews
        self._previewed = ""
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
        previews = self._may_preview(text, now)
        if now - self._tried < HEARTBEAT and not previews:
            with session.reading(heartbeats) as reading:
                return leases.is_wanted(reading, self._claimed)
        self._tried = now
        with session.transaction(heartbeats) as transaction:
            held = leases.renew(transaction, self._claimed, text, tokens_out, now, LEASE)
            if held and previews:
                posts.refresh_card(transaction, self._claimed.job_id)
        self._renewed = now
        if held and previews:
            self._previewed = text
            for lane in self._claimed.lanes:
                self._resources.bell.ring_deliver(lane)
        if held:
            left = now + LEASE - self._resources.clock()
            self._resources.deadman.hold(self._claimed, left)
        return held

    def _may_preview(self, text: str, now: datetime) -> bool:
        """Whether to show what there is by now: something new, and Slack has room for another edit."""
        if not self._previews or text == self._previewed or not text.strip():
            return False
        if len(text) > LONG and now - self._tried < HEARTBEAT:
            return False
        heartbeats = self._resources.heartbeats
        try:
            with session.reading(heartbeats) as reading:
                if not posts.may_preview(reading, now):
                    return False
            with session.transaction(heartbeats) as transaction:
                return posts.take_preview(transaction, now)
        except SQLAlchemyError as error:
            # The lease is worth more.
            log.info("preview.unshown", error=type(error).__name__)
            return False
