"""An answer as a stream of Slack's: a message that grows in the thread while the model writes, and becomes the answer.

Nothing depends on it. What was streamed is never taken for the answer: the message is edited to what was recorded, and
where that cannot be, the answer comes as a message of its own (docs/decisions/0045-an-answer-as-a-stream.md).
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from db import calls, posts, session
from db.models import Job, Post
from db.posts import Work
from db.states import ENDED, JobState, Origin, PostKind, PostState
from tasks import rules, slack
from tasks.catalogue import say
from tasks.deliver import blocks, defuse, once
from tasks.deliver.message import Message
from tasks.deliver.outcome import Failed, Outcome, Shown
from tasks.resources import Resources
from tasks.slack import Problem, Trouble

log = structlog.get_logger()

# Characters; the card shows how a longer answer goes on. Slack takes 12,000 in a call, and each may need a joiner.
MOST = 5_000

# A workspace may get streams while we run. Slack counts starts by the minute (tier 2).
ASK_AGAIN = timedelta(minutes=10)
AFTER_429 = timedelta(minutes=1)

# What `Post.shown` holds of a stream that grows no more, before the text that took its place.
_OVER = "over "

# Refusals that speak of one place, and not of the workspace.
_OF_A_PLACE = frozenset({"channel_type_not_supported", "user_not_in_channel"})

# A joiner behind these leaves nothing that Slack could read as a ping, an entity, an address or a link.
_LIVE = re.compile(r"[<＜﹤@＠﹫&\]]|:(?=/)|[.．。｡](?=[^\W\d_])")
_UNDECIDED = " \t\r\n.．。｡:"


@dataclass(frozen=True)
class _Scene:
    """How the job of a stream stands by now, and what is written of its answer."""

    job: Job
    result: Post | None
    written: str
    language: str


def takes(resources: Resources, work: Work) -> bool:
    """Whether a stream, one that is there or one to be started now, shows what is written of an answer.

    Then the card does not.
    """
    job, recipe = work.job, resources.recipe_of(work.job)
    if job.state is not JobState.RUNNING or job.origin is Origin.API or recipe is None or recipe.form:
        return False
    with session.reading(resources.engine) as reading:
        if not rules.read(reading, job.team, job.requester, job.channel, has_groups=False).streams:
            return False
        post = posts.first(reading, job.id, job.attempt, PostKind.STREAM)
        written = calls.preview(reading, job)
    if post is not None:
        grows = post.state is not PostState.DROPPED and _length(post.shown or "0:") >= 0
        return grows and len(written) <= MOST
    now = resources.clock()
    if not safe(_settled(written)).strip() or (
        resources.without_streams is not None and resources.without_streams > now
    ):
        return False
    with session.transaction(resources.engine) as transaction:
        return posts.take_stream(transaction, now)


def show(resources: Resources, work: Work, thread: str | None, language: str) -> Outcome:
    """Start a stream, add to it, or end it, as its job stands. Raises once.Lost."""
    post = work.post
    with session.reading(resources.engine) as reading:
        job = reading.get_one(Job, work.job.id)
        written = calls.preview(reading, job) if job.attempt == post.attempt else ""
        result = posts.first(reading, job.id, post.attempt, PostKind.RESULT)
    scene = _Scene(job, result, written, language)
    try:
        if post.ts is None or post.channel is None:
            return _begin(resources, work, thread, scene)
        return _follow(resources, post, post.channel, post.ts, scene)
    except once.Unreadable as error:
        # Without a look nobody knows whether it was started, so it is not.
        return _none(error.code)
    except once.Unseen as error:
        return _later(error.problem) if work.unclear else _none(error.problem.code)
    except slack.ERRORS as error:
        problem = slack.problem(error)
    return _later(problem) if problem.trouble in {Trouble.WAIT, Trouble.UNCLEAR} else _none(problem.code)


def of(resources: Resources, work: Work) -> Post | None:
    """The stream that a result was written in, where the result is to stand."""
    job = work.job
    if work.post.part or job.channel is None:
        return None
    with session.reading(resources.engine) as reading:
        post = posts.first(reading, job.id, work.post.attempt, PostKind.STREAM)
    there = post is not None and post.ts and post.state is not PostState.DROPPED
    return post if there and post is not None and post.channel == job.channel else None


def become(resources: Resources, post: Post, message: Message, metadata: dict[str, Any]) -> bool:
    """Let a stream be the answer's message. False: not now; nobody waits for an answer because its stream is stuck.

    Raises the errors of an edit that may work the next time, or in other words.
    """
    assert post.channel is not None
    assert post.ts is not None
    try:
        _stop(resources, post.channel, post.ts)
    except slack.ERRORS as error:
        log.info("stream.unstopped", code=slack.problem(error).code)
        return False
    try:
        resources.slack.chat_update(
            channel=post.channel, ts=post.ts, text=message.text, blocks=message.blocks, metadata=metadata
        )
    except slack.ERRORS as error:
        trouble = slack.problem(error).trouble
        if trouble in {Trouble.WAIT, Trouble.GONE} or (trouble is Trouble.UNCLEAR and slack.refused(error)):
            return False
        raise
    return True


def safe(written: str) -> str:
    """Markdown that is not complete as Markdown that Slack may read: nothing pings, and nothing leads anywhere.

    What is made of two pieces, each settled, is what is made of both.
    """
    return _LIVE.sub(lambda found: found[0] + defuse.JOINER, defuse.clean(written))


def _settled(written: str) -> str:
    """The beginning of a text whose last sign means the same whatever comes next."""
    return written[:MOST].rstrip(_UNDECIDED)


def _begin(resources: Resources, work: Work, thread: str | None, scene: _Scene) -> Outcome:
    job, channel, words = work.job, work.job.channel or "", _settled(scene.written)
    says = safe(words)
    if not work.unclear and not says.strip():
        return _none("too_late")
    found = _find(resources, work, thread)
    if found is not None:
        # Nobody knows what it holds by now: it grows no more.
        text = _last_words(work.post, found, scene) or "stream.later"
        return _end(resources, channel, found, text, scene.language)
    if not says.strip() or thread is None:
        return _none("too_late")
    once.hold(resources, work)
    reference = say(scene.language, "failure.reference", reference=job.id)
    try:
        started = resources.slack.chat_startStream(
            channel=channel,
            thread_ts=thread,
            recipient_team_id=job.team,
            recipient_user_id=job.requester,
            markdown_text=f"{reference}\n\n{says}",
        )
    except slack.ERRORS as error:
        problem = slack.problem(error)
        if not slack.refused(error):
            return _later(problem)
        _remember(resources, problem)
        return _none(problem.code)
    return Shown(started["ts"], started["channel"], _mark(words))


def _remember(resources: Resources, problem: Problem) -> None:
    if problem.trouble is Trouble.WAIT:
        resources.without_streams = resources.clock() + max(problem.wait, AFTER_429)
    elif problem.trouble not in {Trouble.CHANNEL, Trouble.GONE} and problem.code not in _OF_A_PLACE:
        resources.without_streams = resources.clock() + ASK_AGAIN
    log.info("stream.refused", code=problem.code)


def _follow(resources: Resources, post: Post, channel: str, ts: str, scene: _Scene) -> Outcome:
    shown = post.shown or ""
    if scene.job.state is JobState.RUNNING and _continues(shown, scene.written):
        words = _settled(scene.written)
        more = safe(words[_length(shown) :])
        if not more:
            return Shown(ts, channel, shown)
        try:
            resources.slack.chat_appendStream(channel=channel, ts=ts, markdown_text=more)
        except slack.ERRORS as error:
            if slack.problem(error).trouble in {Trouble.WAIT, Trouble.GONE}:
                raise
            # Slack ends a stream after some minutes (python-slack-sdk#1859); or these words may be there, or not.
            log.info("stream.ended", code=slack.problem(error).code)
        else:
            return Shown(ts, channel, _mark(words))
    text = _last_words(post, ts, scene)
    if text is None or shown == _OVER + text:
        return Shown(ts, channel, shown)
    return _end(resources, channel, ts, text, scene.language)


def _last_words(post: Post, ts: str, scene: _Scene) -> str | None:
    """What a stream at `ts` says that grows no more, as a key; None: the answer, now or soon."""
    job, result = scene.job, scene.result
    if post.attempt != job.attempt or job.state in {JobState.FAILED, JobState.CANCELLED}:
        return "stream.unfinished"
    if job.state not in ENDED or result is None:
        return "stream.later"
    if result.state is PostState.WANTED or result.ts == ts:
        return None
    return "stream.elsewhere" if result.state is PostState.SHOWN else "stream.unfinished"


def _end(resources: Resources, channel: str, ts: str, text: str, language: str) -> Outcome:
    """Stop a stream, and let one sentence stand for what it holds."""
    said = blocks.card([say(language, text)])
    _stop(resources, channel, ts)
    resources.slack.chat_update(channel=channel, ts=ts, text=said.text, blocks=said.blocks)
    return Shown(ts, channel, _OVER + text)


def _stop(resources: Resources, channel: str, ts: str) -> None:
    try:
        resources.slack.chat_stopStream(channel=channel, ts=ts)
    except slack.ERRORS as error:
        # Slack has ended it, or its own Stop button has, or we.
        if slack.problem(error).code != "message_not_in_streaming_state":
            raise


def _find(resources: Resources, work: Work, thread: str | None) -> str | None:
    """The stream that an earlier try has started, by the reference in it: starting one takes no metadata.

    Raises Unreadable, Unseen, Lost and Slack's errors.
    """
    assert work.post.sending_since is not None
    channel = work.job.channel or ""
    sent = work.post.sending_since
    for message in once.messages(resources, channel, thread, sent, lambda: once.hold(resources, work)):
        said = f"{message.get('text')}{message.get('blocks')}"
        ours = not message.get("metadata") and not message.get("files") and work.job.id in said
        if ours and message.get("user") == resources.bot_user:
            return str(message["ts"])
    return None


def _mark(words: str) -> str:
    """What a stream holds, in a few signs: how many characters, and which."""
    return f"{len(words)}:{hashlib.sha256(words.encode('utf-8', 'replace')).hexdigest()[:40]}"


def _length(mark: str) -> int:
    """How much a stream holds; -1: it is over."""
    return -1 if mark.startswith(_OVER) else int(mark.partition(":")[0])


def _continues(mark: str, written: str) -> bool:
    """Whether a text goes on where a stream stopped: a call that broke off and was made again says something else."""
    return _length(mark) >= 0 and _mark(written[: _length(mark)]) == mark


def _later(problem: Problem) -> Failed:
    """A limit of streams is none of posts or edits."""
    code = "stream_limited" if problem.trouble is Trouble.WAIT else problem.code
    return Failed(Problem(problem.trouble, code, problem.wait))


def _none(code: str) -> Failed:
    """This attempt has no stream, or it was deleted; that is nobody's trouble."""
    return Failed(Problem(Trouble.GONE, code))
