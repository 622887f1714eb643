"""An agent's session in Slack: while the model works, Slack shows that in the thread, with a Stop button of its own.

Slack shows both for apps that are declared as agents (docs.slack.dev/ai/agent-sessions); all others refuse, which is
remembered for a while. What it shows never holds up what it is about: the card, and the answer.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from slack_sdk.errors import SlackApiError

from db import jobs, session
from db.posts import Work
from db.states import ENDED, JobState
from tasks import slack
from tasks.resources import Resources
from tasks.slack import Problem, Trouble

log = structlog.get_logger()

WORKS, RESTS = "processing", "active"

# An app becomes an agent in its settings, while we run.
ASK_AGAIN = timedelta(minutes=10)

# Slack counts by the minute (tier 3). After a 429 what it allows is for ends.
ENDS_FIRST = timedelta(minutes=1)

# A Stop button that outlives its request is looked at again, at most for so long.
TRY_AGAIN = timedelta(seconds=5)
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True)
class Session:
    """What Slack shows by now, None: nothing of ours yet; and when to try again, if it shows too much."""

    shown: str | None
    again: timedelta | None = None


def follow(resources: Resources, work: Work, channel: str | None, card_ts: str | None) -> Session:
    """Let the session of a job's thread say whether its model works. No error of Slack's gets out."""
    shown, state = work.post.body.get("session"), work.job.state
    thread = work.job.thread_ts or card_ts
    if channel is None or thread is None:
        return Session(shown)
    if state is JobState.RUNNING and shown != WORKS:
        return _begin(resources, channel, thread, shown)
    if state in ENDED and shown == WORKS:
        return _end(resources, work, channel, thread)
    return Session(shown)


def leave(resources: Resources, work: Work) -> None:
    """The card is gone: nobody would tell Slack later that its session is over."""
    thread = work.job.thread_ts or work.post.ts
    if work.post.body.get("session") == WORKS and work.post.channel and thread:
        _set(resources, work.post.channel, thread, RESTS)


def _begin(resources: Resources, channel: str, thread: str, shown: str | None) -> Session:
    now = resources.clock()
    if resources.without_sessions is not None and resources.without_sessions > now:
        return Session(shown)
    found = _set(resources, channel, thread, WORKS)
    if found is None:
        return Session(WORKS)
    if found.trouble is Trouble.WAIT:
        resources.without_sessions = now + max(found.wait, ENDS_FIRST)
    elif found.trouble not in {Trouble.CHANNEL, Trouble.GONE, Trouble.UNCLEAR}:
        resources.without_sessions = now + ASK_AGAIN
        log.info("slack.without_sessions", code=found.code)
    # Without a clear answer it may stand there, and is to be taken away.
    return Session(WORKS if found.trouble is Trouble.UNCLEAR else shown)


def _end(resources: Resources, work: Work, channel: str, thread: str) -> Session:
    late = resources.clock() - (work.job.ended_at or resources.clock()) > PATIENCE
    with session.reading(resources.engine) as reading:
        # Its Stop button is another request's by now.
        runs = jobs.runs_in(reading, channel, thread)
    found = None if runs else _set(resources, channel, thread, RESTS)
    stays = runs or (found is not None and found.trouble not in {Trouble.CHANNEL, Trouble.GONE})
    if not stays or late:
        return Session(RESTS)
    return Session(WORKS, max(found.wait if found else TRY_AGAIN, TRY_AGAIN))


def _set(resources: Resources, channel: str, thread: str, status: str) -> Problem | None:
    """Set the status; what went wrong, if anything did."""
    try:
        resources.slack.agents_sessions_setStatus(channel_id=channel, thread_ts=thread, status=status)
    except slack.ERRORS as error:
        found = slack.problem(error)
        log.info("session.unset", code=found.code)
        if isinstance(error, SlackApiError) and found.trouble is Trouble.UNCLEAR:
            # Slack answered, in words that no other method of ours hears: it does not take us for an agent.
            return replace(found, trouble=Trouble.ACCESS)
        return found
    return None
