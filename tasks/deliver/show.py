"""One post in Slack: posted once, looked up first when an earlier try ended without a word, edited after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.webhook import WebhookClient

from db import line, session
from db.posts import Work
from db.states import Origin, PostKind
from tasks import originals, people, slack
from tasks.catalogue import language_of, say
from tasks.deliver import views
from tasks.deliver.blocks import Message
from tasks.resources import Resources
from tasks.slack import Problem, Trouble
from tasks.text import clean

log = structlog.get_logger()

CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True)
class Shown:
    """Slack holds it, as message `ts`; `further` posts of the same answer are wanted next."""

    ts: str | None
    channel: str | None
    digest: str | None = None
    further: Sequence[tuple[PostKind, int]] = ()


@dataclass(frozen=True)
class Moved:
    """The channel takes nothing from us; the job speaks in `channel` from now on."""

    channel: str
    reason: str


@dataclass(frozen=True)
class Failed:
    """It is not there, or we do not know."""

    problem: Problem


Outcome = Shown | Moved | Failed


def show(resources: Resources, work: Work) -> Outcome:
    """Make Slack show a post as the job stands now; every error of Slack becomes an outcome."""
    try:
        return _show(resources, work)
    except slack.ERRORS as error:
        problem = slack.problem(error)
    if problem.trouble is Trouble.CHANNEL and work.post.ts is None:
        return _move(resources, work, problem)
    return Failed(problem)


def _show(resources: Resources, work: Work) -> Outcome:
    language = _language(resources, work)
    called = resources.recipes.called(work.job.recipe, language)
    match work.post.kind:
        case PostKind.CARD:
            return _card(
                resources,
                work,
                views.card(language, work.job, called, _scene(resources, work), work.post.body),
            )
        case PostKind.RESULT:
            return _result(resources, work, language)
        case PostKind.FAILURE:
            if work.post.attempt != work.job.attempt:
                # Its person saw it and pressed Retry, though Slack never told us that it was there.
                return Failed(Problem(Trouble.GONE, "retried"))
            return _once(resources, work, views.failure(language, work.job, called))
        case PostKind.FILE:
            return _file(resources, work, language)
        case _:
            return _notice(resources, work, language)


def _card(resources: Resources, work: Work, message: Message) -> Outcome:
    digest = views.digest(message)
    ts, channel, seen = work.post.ts, work.post.channel, work.post.shown
    if ts is None and work.unclear and (earlier := _find(resources, work)) is not None:
        # It is there, and says what was true when it was sent.
        ts, channel, seen = earlier["ts"], _channel(work), None
    if ts is None or channel is None:
        return _send(resources, work, message, digest)
    if digest != seen:
        resources.slack.chat_update(
            channel=channel, ts=ts, text=message.text, blocks=message.blocks, metadata=_metadata(work)
        )
    return Shown(ts, channel, digest)


def _result(resources: Resources, work: Work, language: str) -> Outcome:
    part = work.post.part
    if work.post.body.get("plain"):
        answer = originals.answer(resources.settings, work.job) or ""
        message = views.plain_result(language, work.job, answer, part)
        return _once(resources, work, message, further=[(PostKind.FILE, 0)])
    answer = originals.answer_in_markdown(resources.settings, work.job) or ""
    message, parts, file = views.result(language, work.job, answer, part)
    further = [(PostKind.RESULT, other) for other in range(1, parts)]
    further += [(PostKind.FILE, 0)] * (file is not None)
    return _once(resources, work, message, further=further if part == 0 else ())


def _once(
    resources: Resources, work: Work, message: Message, further: Sequence[tuple[PostKind, int]] = ()
) -> Shown:
    if work.unclear and (earlier := _find(resources, work)) is not None:
        return Shown(earlier["ts"], _channel(work), further=further)
    return _send(resources, work, message, further=further)


def _send(
    resources: Resources,
    work: Work,
    message: Message,
    digest: str | None = None,
    further: Sequence[tuple[PostKind, int]] = (),
) -> Shown:
    posted = resources.slack.chat_postMessage(
        channel=_channel(work),
        thread_ts=_thread(work),
        text=message.text,
        blocks=message.blocks,
        metadata=_metadata(work),
        unfurl_links=False,
        unfurl_media=False,
    )
    return Shown(posted["ts"], posted["channel"], digest, further)


def _file(resources: Resources, work: Work, language: str) -> Outcome:
    name = say(language, "result.file_name", reference=work.job.id)
    if work.unclear and _find(resources, work, name) is not None:
        return Shown(None, None)
    answer = originals.answer(resources.settings, work.job)
    resources.slack.files_upload_v2(
        channel=_channel(work), thread_ts=_thread(work), content=answer, filename=name, title=name
    )
    return Shown(None, None)


def _notice(resources: Resources, work: Work, language: str) -> Outcome:
    """A word for one person's eyes; it cannot be looked up, so a try that may have worked is not repeated."""
    if not work.unclear and work.job.response_url:
        reason = work.post.body["reason"]
        text = say(
            language, "channel.cannot_post", code=reason, advice=views.channel_advice(language, reason)
        )
        WebhookClient(
            work.job.response_url, timeout=int(slack.TIMEOUT.total_seconds()), retry_handlers=[]
        ).send(text=text, response_type="ephemeral")
    return Shown(None, None)


def _move(resources: Resources, work: Work, problem: Problem) -> Outcome:
    """Go on in a direct message, unless that is where we were turned away."""
    job = work.job
    if job.origin in {Origin.API, Origin.DIRECT}:
        return Failed(problem)
    try:
        opened = resources.slack.conversations_open(users=job.requester)
    except slack.ERRORS as error:
        return Failed(slack.problem(error))
    channel = opened["channel"]["id"]
    return Failed(problem) if channel == job.channel else Moved(channel, problem.code)


def _find(resources: Resources, work: Work, file_name: str | None = None) -> dict[str, Any] | None:
    """The message that an earlier try of this post left in its thread or channel, by its metadata."""
    thread = _thread(work)
    # Slack's clock and ours may differ.
    since = f"{(work.post.created_at - CLOCKS_DIFFER).timestamp():.6f}"
    options: dict[str, Any] = {"oldest": since, "include_all_metadata": True, "limit": 200}
    if thread is None:
        found = resources.slack.conversations_history(channel=_channel(work), **options)
    else:
        found = resources.slack.conversations_replies(channel=_channel(work), ts=thread, **options)
    for message in found["messages"]:
        metadata = message.get("metadata") or {}
        if (metadata.get("event_payload") or {}).get("post") == work.post.id:
            return dict(message)
        if file_name and any(file.get("name") == file_name for file in message.get("files", [])):
            return dict(message)
    return None


def _metadata(work: Work) -> dict[str, Any]:
    payload = {"job": work.job.id, "post": work.post.id, "kind": work.post.kind.value}
    return {"event_type": slack.METADATA, "event_payload": payload}


def _channel(work: Work) -> str:
    assert work.job.channel is not None  # Only jobs that speak in Slack have posts for it.
    return work.job.channel


def _thread(work: Work) -> str | None:
    """Where the person asked, else under the card; a slash command has no message of its own."""
    return work.job.thread_ts or (work.card_ts if work.post.kind is not PostKind.CARD else None)


def _language(resources: Resources, work: Work) -> str:
    job = work.job
    if job.origin is Origin.API:
        return resources.settings.language
    person = people.look_up(resources, job.team, [job.requester]).get(job.requester)
    guess = "ko" if clean.language(job.text) == "ko" else resources.settings.language
    return language_of(person.locale if person else None, guess)


def _scene(resources: Resources, work: Work) -> views.Scene:
    with session.reading(resources.engine) as reading:
        done, total = line.progress(reading, work.job)
        return views.Scene(done, total, line.trouble(reading, work.job))
