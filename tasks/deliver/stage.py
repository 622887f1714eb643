"""The wanted posts of one lane, one after the other, each once (I4)."""

import functools
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from db import incidents, outcomes, posts, session
from db.posts import Work
from db.states import PostKind
from tasks import alerts, deadman, slack
from tasks.deliver import alert, callback, once, show
from tasks.deliver.outcome import Failed, InCard, Moved, Outcome, Shown
from tasks.resources import Resources
from tasks.slack import Trouble

log = structlog.get_logger()

LEASE = once.LEASE

# DESIGN section 6: a card is edited at most once a second.
EDIT_EVERY = timedelta(seconds=1)

# A post that failed this often, over about half an hour, is given up.
MOST_TRIES = 12
LONGEST_WAIT = timedelta(minutes=5)

# Slack does not let us: operators are told, and may need a while. A token that is refused is refused to all, so one
# minute later one post of each channel finds out whether it was mended; a scope may be lacking for one method alone.
AFTER_REFUSED = timedelta(minutes=1)
REFUSED_AT_MOST = timedelta(days=1)

# What its person waits for: when one of these cannot be shown, the card says so.
_OUTCOMES = frozenset({PostKind.RESULT, PostKind.FAILURE, PostKind.FILE})


def deliver(resources: Resources, lane: str) -> None:
    """Show what is due in a lane, in order, until nothing is, or until Slack asks for patience."""
    if lane == alerts.LANE:
        alert.tell(resources)
        return
    with session.reading(resources.engine) as reading:
        if not posts.is_due(reading, lane, resources.clock()):
            return
    with session.transaction(resources.engine) as transaction:
        now = resources.clock()
        work = posts.claim(transaction, lane, now, LEASE)
    if work is not None:
        log.debug("claimed")
    while work is not None:
        structlog.contextvars.bind_contextvars(job_id=work.job.id, post=work.post.id, kind=work.post.kind)
        left = now + LEASE - resources.clock()
        if left <= deadman.MARGIN:
            # The database took as long as the lease lasts: somebody else shows it.
            return
        resources.deadman.hold(work, left)
        try:
            outcome = _show(resources, work)
        finally:
            resources.deadman.release(work)
        now = resources.clock()
        recorded, following = session.persist(
            resources.engine, functools.partial(_go_on, resources, work, outcome)
        )
        if not recorded:
            log.warning("lane.lost", lane=lane)
            return
        if following is None:
            log.debug("released")
        if isinstance(outcome, Moved):
            resources.bell.ring_deliver(posts.slack_lane(outcome.channel))
        if following is None and resources.stopping.is_set():
            resources.bell.ring_deliver(lane)
        work = following


def _go_on(
    resources: Resources, work: Work, outcome: Outcome, transaction: Session
) -> tuple[bool, Work | None]:
    """Record what became of a post, if the lane is still ours, and take its next one; let it go when told to end."""
    lane = posts.held_lane(transaction, work)
    if lane is None:
        return False, None
    _record(transaction, work, outcome, resources.clock())
    if resources.stopping.is_set():
        posts.let_go(lane)
        return True, None
    return True, posts.take_next(transaction, lane, resources.clock(), LEASE)


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
    settles = work.post.kind is not PostKind.CARD
    # A further post refers to its job, for which PostgreSQL asks for a lock on that.
    if settles or (isinstance(outcome, Shown) and outcome.further):
        outcomes.will_settle(transaction, work.job.id)
    match outcome:
        case Shown():
            posts.shown(transaction, work, outcome.ts, outcome.channel, outcome.digest, now + EDIT_EVERY)
            if outcome.session is not None:
                again = outcome.session.again
                posts.beside(transaction, work, outcome.session.shown, now + again if again else None)
            if outcome.apart:
                posts.refresh_card(transaction, work.job.id)
            for kind, part in outcome.further:
                posts.want(transaction, work.job, kind, now, part)
        case Moved():
            posts.move(transaction, work.job.id, outcome.channel, outcome.reason)
            if work.job.response_url:
                body = {"reason": outcome.reason}
                posts.want(transaction, work.job, PostKind.NOTICE, now, body=body, lane=work.post.lane)
        case InCard():
            posts.say_in_card(transaction, work)
            for kind, part in outcome.further:
                posts.want(transaction, work.job, kind, now, part)
            log.warning("post.unreadable", code=outcome.code)
        case Failed():
            _record_failure(transaction, work, outcome, now)
    if settles:
        transaction.flush()
        outcomes.settle(transaction, work.job.id)


def _record_failure(transaction: Session, work: Work, failed: Failed, now: datetime) -> None:
    problem = failed.problem
    if problem.trouble is Trouble.CONTENT and failed.plainer is not None:
        # An answer is never lost to its looks: once more without, at last as plain text with all of it in a file.
        posts.show_plainly(transaction, work, failed.plainer, now)
        log.error("post.unacceptable", code=problem.code)
        return
    if problem.trouble is Trouble.ACCESS and _may_be_mended(work, now):
        _refused(transaction, work, problem.code, now)
        return
    hopeless = problem.trouble in {Trouble.CONTENT, Trouble.GONE, Trouble.CHANNEL, Trouble.ACCESS}
    limited = problem.code == "ratelimited"
    if hopeless or (work.post.tries >= MOST_TRIES and not limited):
        _drop(transaction, work, problem, now)
        return
    wait = problem.wait if limited else min(LONGEST_WAIT, problem.wait * 2**work.post.tries)
    # An earlier try stays unclear until a look-up went through: this answer may be to the look-up.
    sure = problem.trouble is not Trouble.UNCLEAR and not work.unclear
    posts.not_shown(transaction, work, now + wait, problem.code, sure, try_used=not limited)
    if limited:
        edit = work.post.ts is not None
        posts.hold_lane(transaction, posts.EDITS if edit else work.post.lane, now + wait)
    log.warning("post.failed", code=problem.code, wait_seconds=wait.total_seconds())


def _may_be_mended(work: Work, now: datetime) -> bool:
    # A card is older than its job's last attempt.
    return now - max(work.post.created_at, work.job.created_at) < REFUSED_AT_MOST


def _refused(transaction: Session, work: Work, code: str, now: datetime) -> None:
    """Our token or its scopes: never the post's fault, so no try is used. Once it is mended, the post is shown."""
    refused_to_all = code in slack.TOKEN_REFUSED
    until = now + (AFTER_REFUSED if refused_to_all else LONGEST_WAIT)
    posts.not_shown(transaction, work, until, code, sure=not work.unclear, try_used=False)
    if refused_to_all:
        posts.hold_lane(transaction, posts.SLACK, until)
    incidents.report(transaction, "slack_refused", now, subject=code, reference=work.job.id)
    log.error("post.refused", code=code)


def _drop(transaction: Session, work: Work, problem: slack.Problem, now: datetime) -> None:
    posts.drop(transaction, work, problem.code)
    log.error("post.dropped", code=problem.code, tries=work.post.tries)
    if problem.trouble is Trouble.GONE:
        # Somebody deleted the message or its thread: that is no trouble.
        return
    incidents.report(transaction, "post_dropped", now, subject=problem.code, reference=work.job.id)
    if work.post.kind in _OUTCOMES:
        # The job before its card, as everywhere (db.line).
        transaction.flush()
        outcomes.settle(transaction, work.job.id)
        posts.say_dropped(transaction, work, problem.code)
