"""One post in Slack: posted once, looked up first when an earlier try ended without a word, edited after."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from slack_sdk.webhook import WebhookClient

from db import calls, posts, session, sources
from db import people as people_rows
from db.models import Post
from db.posts import Work
from db.states import ENDED, JobState, Origin, PostKind
from tasks import originals, people, slack
from tasks.catalogue import language_of, say
from tasks.deliver import agent, files, once, stream, structured, views
from tasks.deliver.blocks import Message
from tasks.deliver.outcome import Failed, InCard, Moved, Outcome, Shown
from tasks.deliver.structured import Structured
from tasks.resources import Resources
from tasks.slack import Problem, Trouble
from tasks.text import clean, placeholders


def show(resources: Resources, work: Work) -> Outcome:
    """Make Slack show a post as the job stands now; every error of Slack becomes an outcome."""
    try:
        return _show(resources, work)
    except once.Lost:
        return Failed(Problem(Trouble.UNCLEAR, "lane_lost"))
    except once.Unseen as error:
        return Failed(error.problem)
    except once.Unreadable as error:
        return _without_looking(resources, work, error.code)
    except slack.ERRORS as error:
        problem = slack.problem(error)
    if work.post.kind is PostKind.CARD and problem.trouble is Trouble.GONE:
        agent.leave(resources, work)
    if work.post.ts is None and (problem.trouble is Trouble.CHANNEL or problem.code == "thread_not_found"):
        return _move(resources, work, problem)
    if problem.trouble in {Trouble.CHANNEL, Trouble.GONE} and _said_in_card(resources, work):
        # With the card, what stood in it would be lost.
        return _move(resources, work, problem)
    return Failed(problem, _plainer(resources, work))


def _plainer(resources: Resources, work: Work) -> dict[str, Any] | None:
    """First without the chart, if there is one: not every workspace has that block yet; then as plain text. A card
    without what the model writes.
    """
    if work.post.kind is PostKind.CARD and work.job.state is JobState.RUNNING:
        body = {**work.post.body, "without_preview": True}
        return body if body != work.post.body else None
    if work.post.kind is not PostKind.RESULT or work.post.body.get("plain"):
        return None
    recipe = resources.recipe_of(work.job)
    may_have_chart = recipe is not None and recipe.chart is not None and not work.post.body
    return {"without_chart": True} if may_have_chart else {"plain": True}


def _show(resources: Resources, work: Work) -> Outcome:
    language = _language(resources, work)
    match work.post.kind:
        case PostKind.CARD:
            streams = stream.takes(resources, work)
            message = _card_message(resources, work, language, previews=not streams)
            return _card(resources, work, message, further=[(PostKind.STREAM, 0)] * streams)
        case PostKind.STREAM:
            return stream.show(resources, work, _thread(work), language)
        case PostKind.RESULT:
            message, further = _result(resources, work, work.post, language)
            grown = stream.of(resources, work)
            if grown is not None:
                return _in_stream(resources, work, grown, message, further)
            return _once(resources, work, message, further)
        case PostKind.FAILURE:
            if work.post.attempt != work.job.attempt:
                # Its person saw it and pressed Retry, though Slack never told us that it was there.
                return Failed(Problem(Trouble.GONE, "retried"))
            long = len(work.job.result or "") > views.PLAIN_BEGINNING
            message = _failure(resources, work, language)
            return _once(resources, work, message, further=[(PostKind.FILE, files.ANSWER)] * long)
        case PostKind.SHARE:
            called = resources.called(work.job, language)
            answer, of = _answer(resources, work)
            gone = originals.are_gone(resources.settings, work.job)
            message = views.shared(language, work.job, answer, of, called, without_values=gone)
            return _once(resources, work, message)
        case PostKind.FILE:
            return _file(resources, work, language)
        case _:
            return _notice(resources, work, language)


def _card(
    resources: Resources, work: Work, message: Message, further: Sequence[tuple[PostKind, int]]
) -> Outcome:
    digest = views.digest(message)
    ts, channel, seen = work.post.ts, work.post.channel, work.post.shown
    if ts is None and work.unclear and (earlier := _find(resources, work)) is not None:
        # It is there, and says what was true when it was sent.
        ts, channel, seen = earlier["ts"], _channel(work), None
    if ts is None or channel is None:
        sent = _send(resources, work, message, digest)
        ts, channel = sent.ts, sent.channel
    elif digest != seen:
        resources.slack.chat_update(
            channel=channel, ts=ts, text=message.text, blocks=message.blocks, metadata=_metadata(work)
        )
    return Shown(ts, channel, digest, further, session=agent.follow(resources, work, channel, ts))


def _card_message(resources: Resources, work: Work, language: str, *, previews: bool) -> Message:
    called = resources.called(work.job, language)
    said = _said_in_card(resources, work)
    scene = _scene(resources, work, previews=previews)
    if not said:
        return views.card(language, work.job, called, scene, work.post.body)
    first = said[0]
    repeated = None
    if first.kind is PostKind.RESULT:
        repeated, _ = _result(resources, work, first, language)
    elif first.kind is PostKind.FAILURE:
        repeated = _failure(resources, work, language)
    more = repeated is None or len(said) > 1
    return views.card_that_says(language, work.job, called, scene, work.post.body, repeated, more)


def _said_in_card(resources: Resources, work: Work) -> Sequence[Post]:
    """What the card has to say beside the state: posts of the current attempt that nobody can look up."""
    if work.post.kind is not PostKind.CARD or work.job.state not in ENDED:
        return []
    with session.reading(resources.engine) as reading:
        return [post for post in posts.in_card(reading, work.job.id) if post.attempt == work.job.attempt]


def _result(
    resources: Resources, work: Work, post: Post, language: str
) -> tuple[Message, Sequence[tuple[PostKind, int]]]:
    """A part of the answer, and the posts that follow it."""
    job, part = work.job, post.part
    answer, of = _answer(resources, work)
    if post.body.get("plain"):
        message = views.plain_result(language, job, originals.answer(resources.settings, job) or "", part, of)
        return message, _files(files.wanted(of, chart=False) or [files.ANSWER])
    with_chart = not post.body.get("without_chart")
    mention = _wants_mention(resources, work)
    message, parts, file = views.result(
        language, job, answer, part, of, mention=mention, with_chart=with_chart
    )
    further = [(PostKind.RESULT, other) for other in range(1, parts)]
    drawn = not with_chart and bool(views.chart_counts(language, of))
    further += _files(files.wanted(of, chart=drawn) or [files.ANSWER] * (file is not None))
    return message, further if part == 0 else ()


def _answer(resources: Resources, work: Work) -> tuple[str, Structured | None]:
    """The answer with the values in it that were hidden from the model: as Markdown, and in its form if it has one."""
    known = originals.opened(resources.settings, work.job)
    of = _structured(resources, work)
    if of is not None:
        of = structured.restored(of, lambda text: placeholders.restore(text, known))
    return originals.answer_in_markdown(resources.settings, work.job) or "", of


def _failure(resources: Resources, work: Work, language: str) -> Message:
    called = resources.called(work.job, language)
    return views.failure(language, work.job, called, originals.answer(resources.settings, work.job) or "")


def _files(parts: Sequence[int]) -> list[tuple[PostKind, int]]:
    return [(PostKind.FILE, part) for part in parts]


def _structured(resources: Resources, work: Work) -> Structured | None:
    recipe = resources.recipe_of(work.job)
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


def _in_stream(
    resources: Resources,
    work: Work,
    grown: Post,
    message: Message,
    further: Sequence[tuple[PostKind, int]],
) -> Shown:
    """The answer in the message that it was written in, if that can be, and otherwise in its own."""
    if work.unclear and (earlier := _find(resources, work)) is not None:
        return Shown(earlier["ts"], _channel(work), further=further, apart=earlier["ts"] != grown.ts)
    once.hold(resources, work)
    if stream.become(resources, grown, message, _metadata(work)):
        return Shown(grown.ts, grown.channel, further=further)
    return replace(_send(resources, work, message, further=further), apart=True)


def _send(
    resources: Resources,
    work: Work,
    message: Message,
    digest: str | None = None,
    further: Sequence[tuple[PostKind, int]] = (),
) -> Shown:
    once.hold(resources, work)
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
    _, of = _answer(resources, work)
    answer = originals.answer(resources.settings, work.job) or ""
    file = files.make(language, work.job, answer, of, work.post.part)
    if work.unclear and _find(resources, work, file.name) is not None:
        return Shown(None, None)
    gone = originals.are_gone(resources.settings, work.job)
    once.hold(resources, work)
    resources.slack.files_upload_v2(
        channel=_channel(work),
        thread_ts=_thread(work),
        content=file.content,
        filename=file.name,
        title=file.name,
        alt_txt=file.alt,
        initial_comment=say(language, "result.without_values") if gone else None,
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


def _without_looking(resources: Resources, work: Work, code: str) -> Outcome:
    """An earlier try may have worked, and nothing tells us: say it where saying it twice does no harm."""
    if work.post.kind is PostKind.CARD:
        # What the job has to say comes all the same, as a message of its own.
        return Failed(Problem(Trouble.GONE, code))
    if work.card_ts is None:
        return _move(resources, work, Problem(Trouble.CHANNEL, "unreadable"))
    # Whatever the language, the answer has the same parts.
    further = _result(resources, work, work.post, "en")[1] if work.post.kind is PostKind.RESULT else ()
    return InCard(code, further)


def _find(resources: Resources, work: Work, file_name: str | None = None) -> dict[str, Any] | None:
    return once.find(resources, work, _channel(work), _thread(work), file_name)


def _metadata(work: Work) -> dict[str, Any]:
    payload = {"job": work.job.id, "post": work.post.id, "kind": work.post.kind.value}
    return {"event_type": slack.METADATA, "event_payload": payload}


def _channel(work: Work) -> str:
    assert work.job.channel is not None  # Only jobs that speak in Slack have posts for it.
    return work.job.channel


def _thread(work: Work) -> str | None:
    """Where the person asked, else under the card; a slash command has no message of its own."""
    if work.post.kind is PostKind.SHARE:
        return None
    return work.job.thread_ts or (work.card_ts if work.post.kind is not PostKind.CARD else None)


def _language(resources: Resources, work: Work) -> str:
    job = work.job
    if job.origin is Origin.API:
        return resources.settings.language
    person = people.look_up(resources, job.team, [job.requester]).get(job.requester)
    if person is not None and person.language is not None:
        return person.language
    guess = "ko" if clean.language(job.text) == "ko" else resources.settings.language
    return language_of(person.locale if person else None, guess)


def _wants_mention(resources: Resources, work: Work) -> bool:
    with session.reading(resources.engine) as reading:
        return people_rows.preferences(reading, work.job.team, work.job.requester).mention


def _scene(resources: Resources, work: Work, *, previews: bool) -> views.Scene:
    state, recipe = work.job.state, resources.recipe_of(work.job)
    scene = views.Scene(0, 0, None, most_calls=recipe.max_calls if recipe else 0)
    if state not in {JobState.WAITING, JobState.RUNNING}:
        # No call of it waits or runs: there is nothing beside it.
        return scene
    # JSON is for nobody to read.
    prose = recipe is not None and recipe.form is None
    runs = state is JobState.RUNNING
    previews = previews and prose and runs and not work.post.body.get("without_preview")
    with session.reading(resources.engine) as reading:
        done, total = calls.progress(reading, work.job) if runs else (0, 0)
        return replace(
            scene,
            done=done,
            total=total,
            trouble=calls.trouble(reading, work.job),
            paused=calls.paused(reading, work.job),
            written=calls.preview(reading, work.job) if previews else "",
        )
