"""What each kind of post says: a job's rows and a language in, a Slack message out."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from db.models import Job
from db.states import OPEN, JobState
from tasks import actions, place, understood
from tasks.catalogue import say
from tasks.deliver import blocks, chart, markdown, plain, preview, structured
from tasks.deliver.blocks import Button, Message
from tasks.deliver.structured import Structured

# Troubles that people are told; a busy server is nothing new to somebody who stands in line (DESIGN section 6).
_TOLD_TROUBLES = frozenset({"down", "loading", "settings"})

_CHANNEL_ADVICE = frozenset(
    {
        "not_in_channel",
        "channel_not_found",
        "is_archived",
        "restricted_action",
        "thread_not_found",
        "unreadable",
    }
)


# Characters of an answer that is shown without formatting; the rest is in its file.
PLAIN_BEGINNING = 1500


@dataclass(frozen=True)
class Scene:
    """What a card shows beside the job itself."""

    done: int
    total: int
    trouble: str | None
    # The owners' words on the paused server that the job waits for; "": they said none, None: none is paused.
    paused: str | None = None
    most_calls: int = 0
    """Calls that its recipe makes without asking."""
    written: str = ""
    """What the model has written of the answer so far."""


def card(language: str, job: Job, called: str, scene: Scene, told: dict[str, Any]) -> Message:
    """The status card; `called` is the recipe's name in that language, `told` what delivery has to say."""
    lines = [_state(language, job, blocks.escape(called), scene)]
    if job.state in {JobState.WAITING, JobState.RUNNING} and scene.trouble in _TOLD_TROUBLES:
        lines.append(say(language, f"card.trouble_{scene.trouble}"))
    lines += understood.lines(language, job, blocks.escape)
    if job.state in {JobState.WAITING, JobState.RUNNING} and scene.paused is not None:
        lines.append(say(language, "card.paused"))
        # As the owners wrote it: links and names work, and blocks.card lets nothing ping a channel.
        lines.append(scene.paused)
    if "left" in told:
        advice = channel_advice(language, told["reason"])
        lines.append(say(language, "card.moved", channel=told["left"], advice=advice))
    if told.get("dropped_in") == job.attempt:
        code = blocks.escape(told["dropped"])
        lines.append(say(language, "card.dropped", code=code, reference=job.id))
    if job.state is JobState.WAITING and (job.plan or {}).get("calls", 1) > 1:
        lines.append(say(language, f"plan.{(job.plan or {})['kind']}", **(job.plan or {})))
    seen = preview.message(scene.written) if job.state is JobState.RUNNING else None
    if seen is not None:
        lines.append(say(language, "card.written"))
    return blocks.card(lines, _buttons(language, job, called), seen)


def _buttons(language: str, job: Job, called: str) -> list[Button]:
    """What its person can do about a job as it stands."""
    names: tuple[str, ...] = ()
    if job.state in OPEN:
        names = (*[actions.CONFIRM] * job.held, actions.CANCEL)
    elif job.result is not None:
        # In a direct message there is no channel to share it with.
        share = (actions.SHARE,) if job.channel and not job.channel.startswith("D") else ()
        names = (actions.AGAIN, actions.SAVE, *share)
    return [
        _button(language, job, called, name, "primary" if name == actions.CONFIRM else None) for name in names
    ]


def _button(language: str, job: Job, called: str, name: str, style: str | None) -> Button:
    text = say(language, f"button.{name}")
    heard = say(language, "button.heard", button=text, recipe=called)
    return Button(name, text, str(actions.Attempt(job.id, job.attempt)), style, heard=heard)


def card_that_says(
    language: str,
    job: Job,
    called: str,
    scene: Scene,
    told: dict[str, Any],
    repeated: Message | None,
    more: bool,
) -> Message:
    """The card of a job with an outcome that Slack did not confirm and does not let us look for.

    It says `repeated` again; with `more`, something else may be missing that does not fit here.
    """
    state = card(language, job, called, scene, told)
    lines = [state.text]
    lines += [say(language, "card.unconfirmed")] * (repeated is not None)
    lines += [say(language, "card.unconfirmed_more")] * more
    says = blocks.card(lines)
    if repeated is None:
        return says
    text = plain.bounded(f"{says.text}\n{repeated.text}", plain.MAX_TEXT)
    return Message([*says.blocks, *repeated.blocks], text)


def result(
    language: str,
    job: Job,
    answer: str,
    part: int,
    of: Structured | None,
    *,
    mention: bool = True,
    with_chart: bool = True,
) -> tuple[Message, int, str | None]:
    """One part of the answer, how many parts there are, and the text for a file where they are not all."""
    rendering = markdown.render(_text(language, answer, of))
    # An answer of signs that nobody can see still gets its reply.
    messages = rendering.messages or (blocks.card([]),)
    last = part == len(messages) - 1
    notes = [say(language, "result.truncated")] * job.truncated
    notes += [say(language, "result.file")] * (rendering.file is not None)
    body = messages[part]
    counts = chart_counts(language, of) if part == 0 else []
    if counts and with_chart:
        drawn = _chart(language, of, counts)
        # Whoever hears the text or reads it in a notification gets what the chart shows as well.
        text = plain.bounded(f"{body.text}\n{drawn['title']}. {said(language, counts)}", plain.MAX_TEXT)
        body = Message([*body.blocks[: blocks.MAX_BLOCKS - 4], drawn], text)
    elif counts:
        notes.append(say(language, "result.chart_legend", counts=blocks.escape(said(language, counts))))
    message = blocks.result(
        body,
        mention=job.requester if part == 0 and mention else None,
        footer=" ".join(notes) if (last or (counts and not with_chart)) and notes else None,
        thumbs=_thumbs(language, job) if last else None,
    )
    return message, len(messages), rendering.file


def shared(
    language: str, job: Job, answer: str, of: Structured | None, called: str, *, without_values: bool
) -> Message:
    """An answer for all of its channel: its first part, and who shares it; the thread has the rest, and the values
    that were hidden from the model.
    """
    rendering = markdown.render(_text(language, answer, of))
    messages = rendering.messages or (blocks.card([]),)
    more = len(messages) > 1 or rendering.file is not None
    notes = [say(language, "result.shared", user=job.requester, recipe=blocks.escape(called))]
    notes += [say(language, "result.more_in_thread")] * more
    notes += [say(language, "result.without_values")] * without_values
    return blocks.result(messages[0], footer=" ".join(notes))


def _thumbs(language: str, job: Job) -> blocks.Thumbs:
    good, bad = say(language, "button.good"), say(language, "button.bad")
    return blocks.Thumbs(actions.FEEDBACK, good, bad, str(actions.Attempt(job.id, job.attempt)))


def chart_counts(language: str, of: Structured | None) -> list[tuple[str, int]]:
    """What an answer's chart shows, in words: none for a single item, or where the recipe has no chart."""
    if of is None or of.recipe.chart is None or len(of.items or []) < 2:
        return []
    named = [(of.said(language, value), count) for value, count in structured.counts(of)]
    return chart.segments(named, say(language, "result.other"))


def said(language: str, counts: chart.Counts) -> str:
    """A chart in words: its legend, and what people hear who do not see it."""
    return ", ".join(f"{place}. {label}: {count}" for place, (label, count) in enumerate(counts, 1))


def _chart(language: str, of: Structured | None, counts: chart.Counts) -> dict[str, Any]:
    assert of is not None
    assert of.recipe.chart is not None
    column = of.title(language, of.recipe.chart)
    title = say(language, "result.chart_title", column=column, total=sum(count for _, count in counts))
    return chart.block(title, counts)


def _text(language: str, answer: str, of: Structured | None) -> str:
    return answer if of is None else structured.markdown(language, of)


def plain_result(language: str, job: Job, answer: str, part: int, of: Structured | None) -> Message:
    """What stands for a part of the answer whose looks Slack refuses: its beginning; the file has all of it."""
    beginning = blocks.escape(_text(language, answer, of)[:PLAIN_BEGINNING]) if part == 0 else ""
    return blocks.result(
        blocks.card([beginning]),
        mention=job.requester if part == 0 else None,
        footer=say(language, "result.file"),
    )


def failure(language: str, job: Job, called: str, partial: str = "") -> Message:
    """What failed, what to do, a reference, the way to try again, and the beginning of what there is of an answer."""
    reference = say(language, "failure.reference", reference=job.id)
    return blocks.failure(
        say(language, "failure.title", recipe=blocks.escape(called)),
        understood.reason(language, job, blocks.escape),
        reference=reference,
        mention=job.requester,
        buttons=[_button(language, job, called, actions.RETRY, "primary")],
        partial=blocks.escape(partial[:PLAIN_BEGINNING]),
    )


def channel_advice(language: str, code: str) -> str:
    """What a person can do about a channel that we cannot write in."""
    return say(language, f"channel.{code}" if code in _CHANNEL_ADVICE else "channel.restricted_action")


def digest(message: Message) -> str:
    """Two messages that look the same have the same digest: such an edit is not sent."""
    return hashlib.sha256(json.dumps([message.text, message.blocks], sort_keys=True).encode()).hexdigest()


def _state(language: str, job: Job, called: str, scene: Scene) -> str:
    stands = place.words(language, job)
    match job.state:
        case JobState.RECEIVED | JobState.PREPARING:
            return say(language, "card.received", recipe=called)
        case JobState.WAITING if job.held:
            calls = {"calls": (job.plan or {}).get("calls", 0), "most": scene.most_calls}
            if stands:
                return say(language, "card.held_left", recipe=called, left=stands, **calls)
            return say(language, "card.held", recipe=called, **calls)
        case JobState.WAITING if stands:
            return say(language, "card.waiting_place", recipe=called, place=stands)
        case JobState.WAITING:
            return say(language, "card.waiting", recipe=called)
        case JobState.RUNNING if scene.total > 1:
            parts = {"done": scene.done, "total": scene.total}
            if stands:
                return say(language, "card.running_parts_place", recipe=called, place=stands, **parts)
            return say(language, "card.running_parts", recipe=called, **parts)
        case JobState.RUNNING:
            return say(language, "card.running", recipe=called)
        case JobState.ANSWERED | JobState.DONE:
            took = (job.ended_at or job.created_at) - job.created_at
            return say(language, "card.done", recipe=called, duration=_duration(language, took))
        case JobState.FAILED:
            return say(language, "card.failed", recipe=called)
        case JobState.CANCELLED:
            return say(language, "card.cancelled", recipe=called)


def _duration(language: str, took: timedelta) -> str:
    seconds = took.total_seconds()
    if seconds < 60:
        return say(language, "duration.seconds", seconds=f"{seconds:.1f}" if seconds < 10 else round(seconds))
    return say(language, "duration.minutes", minutes=int(seconds // 60), seconds=int(seconds % 60))
