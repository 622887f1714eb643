"""The verdict: what was asked, beside what Slack holds in the end."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from db import session
from db.models import Job, Post
from db.states import OPEN, JobState, PostKind, PostState
from playground.slack.stand_in import Slack
from tasks.catalogue import LANGUAGES, say
from tests.acceptance.stack import kind_of
from tests.chaos.traffic import MARK, Ask

_GROWS = {say(language, "card.written") for language in LANGUAGES}
ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Said:
    """One message of ours in Slack."""

    channel: str
    thread: str | None
    ts: str
    job: str
    post: int
    kind: str
    marks: frozenset[str]
    # It shows an answer that is still being written.
    grows: bool = False


@dataclass
class Verdict:
    """Numbers of requests, or of messages; `notes` name each that is not as it must be."""

    requests: int = 0
    acknowledged: int = 0
    done: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    messages: int = 0
    lost: int = 0
    answered_twice: int = 0
    posted_twice: int = 0
    out_of_order: int = 0
    wrong_thread: int = 0
    notes: list[str] = field(default_factory=list)

    def wrong(self, what: str, note: str) -> None:
        setattr(self, what, getattr(self, what) + 1)
        self.notes.append(f"{what}: {note}")


def settled(engine: sa.Engine) -> bool:
    """Whether nothing is left to be done, and nothing to be said."""
    with session.reading(engine) as reading:
        open_jobs = sa.select(Job.id).where(Job.state.in_((*OPEN, JobState.ANSWERED)))
        wanted = sa.select(Post.id).where(Post.state == PostState.WANTED)
        return not any(reading.scalar(query.limit(1)) for query in (open_jobs, wanted))


def said(slack: Slack) -> list[Said]:
    """Every message of ours that carries our metadata."""
    found = []
    for channel in slack.workspace.channels.values():
        for message in channel.messages.values():
            kind = kind_of(message)
            if kind is None:
                continue
            payload = message["metadata"]["event_payload"]
            words = json.dumps([message.get("text"), message.get("blocks")])
            marks = frozenset(MARK.findall(words))
            thread = message.get("thread_ts")
            thread = None if thread == message["ts"] else thread
            grows = any(line in _GROWS for line in message["text"].splitlines())
            found.append(
                Said(channel.id, thread, message["ts"], payload["job"], payload["post"], kind, marks, grows)
            )
    return found


def judge(asks: list[Ask], acknowledged: list[Ask], engine: sa.Engine, messages: list[Said]) -> Verdict:
    """Compare the three."""
    verdict = Verdict(requests=len(asks), acknowledged=len(acknowledged), messages=len(messages))
    with session.reading(engine) as reading:
        jobs = reading.scalars(sa.select(Job)).all()
        posts = {post.id: post for post in reading.scalars(sa.select(Post))}
        of_mark = defaultdict(list)
        for job in jobs:
            for mark in set(MARK.findall(job.text)):
                of_mark[mark].append(job)
    of_job = defaultdict(list)
    for message in messages:
        of_job[message.job].append(message)
    in_time = {ask.number for ask in acknowledged}
    for ask in asks:
        mine = of_mark[ask.mark]
        if len(mine) > 1:
            verdict.wrong("answered_twice", f"{ask} has {len(mine)} jobs")
        if not mine and ask.number in in_time:
            verdict.wrong("lost", f"{ask} has no job")
        for job in mine:
            _judge_job(verdict, ask, job, sorted(of_job[job.id], key=lambda message: message.ts), posts)
    for post, times in Counter(message.post for message in messages).items():
        if times > 1:
            verdict.wrong("posted_twice", f"post {post} of job {posts[post].job_id}, {times} times")
    return verdict


def _judge_job(verdict: Verdict, ask: Ask, job: Job, messages: list[Said], posts: dict[int, Post]) -> None:
    about = f"{job.id} ({job.state}, {job.error}, attempt {job.attempt}) of {ask}"
    _count(verdict, job)
    if job.state not in ENDED:
        verdict.wrong("lost", f"{about} did not end")
        return
    if job.channel is None:
        return
    heads = [message for message in messages if _is_outcome(posts[message.post])]
    outcomes = Counter({posts[message.post].attempt: 0 for message in heads})
    for post in {message.post for message in heads}:
        outcomes[posts[post].attempt] += 1
    if any(times > 1 for times in outcomes.values()):
        verdict.wrong("answered_twice", f"{about} has {dict(outcomes)} outcomes by attempt")
    if job.state is JobState.CANCELLED:
        if outcomes[job.attempt] or not messages:
            verdict.wrong("lost", f"{about} was cancelled, and says {dict(outcomes)}")
    elif not outcomes[job.attempt]:
        verdict.wrong("lost", f"{about} has nothing in its thread that says how it ended")
    _judge_places(verdict, ask, about, messages, posts)


def _judge_places(
    verdict: Verdict, ask: Ask, about: str, messages: list[Said], posts: dict[int, Post]
) -> None:
    order = [(posts[message.post].attempt, message.post) for message in messages]
    if order != sorted(order):
        verdict.wrong("out_of_order", f"{about} says {order}")
    if any(message.grows for message in messages):
        verdict.wrong("out_of_order", f"{about} still shows what the model was writing")
    card = next((message.ts for message in messages if message.kind == PostKind.CARD), None)
    for message in messages:
        own = None if message.kind == PostKind.CARD else card
        expected = ask.thread or own
        if (message.channel, message.thread) != (ask.channel, expected) or message.marks - {ask.mark}:
            verdict.wrong("wrong_thread", f"{about}: {message}")
        elif message.kind == PostKind.RESULT and not message.marks:
            verdict.wrong("wrong_thread", f"{about}: an answer without its mark, {message}")


def _count(verdict: Verdict, job: Job) -> None:
    verdict.done += job.state is JobState.DONE
    verdict.cancelled += job.state is JobState.CANCELLED
    if job.state is JobState.FAILED:
        verdict.failed[job.error or ""] += 1


def _is_outcome(post: Post) -> bool:
    return post.kind is PostKind.FAILURE or (post.kind is PostKind.RESULT and post.part == 0)


def as_json(verdict: Verdict) -> dict[str, Any]:
    """For the results; notes are for whoever mends it."""
    return {**vars(verdict), "failed": dict(verdict.failed), "notes": verdict.notes[:20]}
