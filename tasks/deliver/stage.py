"""The wanted posts of one lane, one after the other, each once (I4)."""

from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from db import jobs, posts, session
from db.posts import Work
from db.states import PostKind
from tasks import slack
from tasks.deliver import callback, show
from tasks.deliver.show import Failed, Moved, Outcome, Shown
from tasks.resources import Resources
from tasks.slack import Trouble

log = structlog.get_logger()

# Longer than the calls of one post may take together, each within its time-out: a name, a look-up, and the three
# of a file's upload.
LEASE = 5 * slack.TIMEOUT + timedelta(seconds=5)

# DESIGN section 6: a card is edited at most once a second.
EDIT_EVERY = timedelta(seconds=1)

# A post that failed this often, over about half an hour, is given up.
MOST_TRIES = 12
LONGEST_WAIT = timedelta(minutes=5)


def deliver(resources: Resources, lane: str) -> None:
    """Show what is due in a lane, in order, until nothing is, or until Slack asks for patience."""
    with session.reading(resources.engine) as reading:
        if not posts.is_due(reading, lane, resources.clock()):
            return
    with session.transaction(resources.engine) as transaction:
        work = posts.claim(transaction, lane, resources.clock(), LEASE)
    while work is not None:
        structlog.contextvars.bind_contextvars(job_id=work.job.id, post=work.post.id, kind=work.post.kind)
        outcome = _show(resources, work)
        with session.transaction(resources.engine) as transaction:
            if not posts.holds(transaction, work):
                log.warning("lane.lost", lane=lane)
                return
            _record(transaction, work, outcome, resources.clock())
            following = posts.take_next(transaction, lane, resources.clock(), LEASE)
        if isinstance(outcome, Moved):
            resources.bell.ring_deliver(posts.slack_lane(outcome.channel))
        work = following


def _show(resources: Resources, work: Work) -> Outcome:
    try:
        return (callback.send if work.post.kind is PostKind.CALLBACK else show.show)(resources, work)
    except sa.exc.DBAPIError:
        # The database's trouble is not the post's: the lane's lease runs out and it is tried again.
        raise
    except Exception:  # A door to what models write: one post that breaks us must not hold up its channel.
        log.exception("post.broke", reference=work.job.id)
        return Failed(slack.Problem(Trouble.UNCLEAR, "bug", timedelta(seconds=2)))


def _record(transaction: Session, work: Work, outcome: Outcome, now: datetime) -> None:
    match outcome:
        case Shown():
            posts.shown(transaction, work, outcome.ts, outcome.channel, outcome.digest, now + EDIT_EVERY)
            for kind, part in outcome.further:
                posts.want(transaction, work.job, kind, now, part)
        case Moved():
            posts.move(transaction, work.job.id, outcome.channel, outcome.reason)
            if work.job.response_url:
                body = {"reason": outcome.reason}
                posts.want(transaction, work.job, PostKind.NOTICE, now, body=body, lane=work.post.lane)
        case Failed():
            _record_failure(transaction, work, outcome, now)
    if work.post.kind is not PostKind.CARD:
        transaction.flush()
        jobs.settle(transaction, work.job.id)


def _record_failure(transaction: Session, work: Work, failed: Failed, now: datetime) -> None:
    problem = failed.problem
    if problem.trouble is Trouble.CONTENT and failed.plainer is not None:
        # An answer is never lost to its looks: once more without, at last as plain text with all of it in a file.
        posts.show_plainly(transaction, work, failed.plainer, now)
        log.error("post.unacceptable", code=problem.code)
        return
    hopeless = problem.trouble in {Trouble.CONTENT, Trouble.GONE, Trouble.CHANNEL}
    limited = problem.code == "ratelimited"
    if hopeless or (work.post.tries >= MOST_TRIES and not limited):
        posts.drop(transaction, work, problem.code)
        log.error("post.dropped", code=problem.code, tries=work.post.tries)
        return
    wait = problem.wait if limited else min(LONGEST_WAIT, problem.wait * 2**work.post.tries)
    # An earlier try stays unclear until a look-up went through: this answer may be to the look-up.
    sure = problem.trouble is not Trouble.UNCLEAR and not work.unclear
    posts.not_shown(transaction, work, now + wait, problem.code, sure, try_used=not limited)
    if limited:
        edit = work.post.ts is not None
        posts.hold_lane(transaction, posts.EDITS if edit else work.post.lane, now + wait)
    log.warning("post.failed", code=problem.code, wait_seconds=wait.total_seconds())
