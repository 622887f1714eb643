"""One post in Slack: posted once, looked up first when an earlier try ended without a word, edited after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.webhook import WebhookClient

from db import line, session, sources
from db.posts import Work
from db.states import Origin, PostKind
from tasks import people, slack
from tasks.catalogue import language_of, say
from tasks.deliver import files, structured, views
from tasks.deliver.blocks import Message
from tasks.deliver.structured import Structured
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
    plainer: dict[str, bool] | None = None
    """How a result may look that Slack refused: the body to show it by; None: there is no plainer way."""


Outcome = Shown | Moved | Failed


def show(resources: Resources, work: Work) -> Outcome:
    """Make Slack show a post as the job stands now; every error of Slack becomes an outcome."""
    try:
        return _show(resources, work)
    except slack.ERRORS as error:
        problem = slack.problem(error)
    if problem.trouble is Trouble.CHANNEL and work.post.ts is None:
        return _move(resources, work, problem)
    return Failed(problem, _plainer(resources, work))


def _plainer(resources: Resources, work: Work) -> dict[str, bool] | None:
    """First without the chart, if there is one: not every workspace has that block yet; then as plain text."""
    if work.post.kind is not PostKind.RESULT or work.post.body.get("plain"):
        return None
    recipe = resources.recipes.get(work.job.recipe)
    may_have_chart = recipe is not None and recipe.chart is not None and not work.post.body
    return {"without_chart": True} if may_have_chart else {"plain": True}


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
            long = len(work.job.result or "") > views.PLAIN_BEGINNING
            message = views.failure(language, work.job, called)
            return _once(resources, work, message, further=[(PostKind.FILE, files.ANSWER)] * long)
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
    part, body, job = work.post.part, work.post.body, work.job
    of = _structured(resources, work)
    if body.get("plain"):
        message = views.plain_result(language, job, part, of)
        return _once(
            resources, work, message, further=_files(files.wanted(of, chart=False) or [files.ANSWER])
        )
    with_chart = not body.get("without_chart")
    message, parts, file = views.result(language, job, part, of, with_chart=with_chart)
    further = [(PostKind.RESULT, other) for other in range(1, parts)]
    drawn = not with_chart and bool(views.chart_counts(language, of))
    further += _files(files.wanted(of, chart=drawn) or [files.ANSWER] * (file is not None))
    return _once(resources, work, message, further=further if part == 0 else ())


def _files(parts: Sequence[int]) -> list[tuple[PostKind, int]]:
    return [(PostKind.FILE, part) for part in parts]


def _structured(resources: Resources, work: Work) -> Structured | None:
    recipe = resources.recipes.get(work.job.recipe)
    if recipe is None or recipe.form is None:
        return None
    with session.reading(resources.engine) as reading:
        return structured.read(work.job, recipe, sources.of_job(reading, work.job.id))


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
    if work.post.attempt != work.job.attempt:
        # What an attempt that failed had of an answer; its person pressed Retry since.
        return Failed(Problem(Trouble.GONE, "retried"))
    file = files.make(language, work.job, _structured(resources, work), work.post.part)
    if work.unclear and _find(resources, work, file.name) is not None:
        return Shown(None, None)
    resources.slack.files_upload_v2(
        channel=_channel(work),
        thread_ts=_thread(work),
        content=file.content,
        filename=file.name,
        title=file.name,
        alt_txt=file.alt,
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
        recipe = resources.recipes.get(work.job.recipe)
        most_calls = recipe.max_calls if recipe else 0
        return views.Scene(done, total, line.trouble(reading, work.job), most_calls)
