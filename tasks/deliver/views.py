"""What each kind of post says: a job's rows and a language in, a Slack message out."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from db.models import Job
from db.states import OPEN, JobState
from tasks import actions, place
from tasks.catalogue import say
from tasks.deliver import blocks, chart, markdown, structured
from tasks.deliver.blocks import Button, Message
from tasks.deliver.structured import Structured

# Troubles that people are told; a busy server is nothing new to somebody who stands in line (DESIGN section 6).
_TOLD_TROUBLES = frozenset({"down", "loading", "settings"})

_CHANNEL_ADVICE = frozenset({"not_in_channel", "channel_not_found", "is_archived", "restricted_action"})


# Characters of an answer that is shown without formatting; the rest is in its file.
PLAIN_BEGINNING = 1500


@dataclass(frozen=True)
class Scene:
    """What a card shows beside the job itself."""

    done: int
    total: int
    trouble: str | None
    most_calls: int = 0
    """Calls that its recipe makes without asking."""


def card(language: str, job: Job, called: str, scene: Scene, moved: dict[str, str]) -> Message:
    """The status card; `called` is the recipe's name in that language."""
    lines = [_state(language, job, blocks.escape(called), scene)]
    if job.state in {JobState.WAITING, JobState.RUNNING} and scene.trouble in _TOLD_TROUBLES:
        lines.append(say(language, f"card.trouble_{scene.trouble}"))
    if moved:
        advice = channel_advice(language, moved["reason"])
        lines.append(say(language, "card.moved", channel=moved["left"], advice=advice))
    attempt = str(actions.Attempt(job.id, job.attempt))
    cancel = Button(actions.CANCEL, say(language, "button.cancel"), attempt)
    confirm = Button(actions.CONFIRM, say(language, "button.confirm"), attempt, "primary")
    if job.state is JobState.WAITING and (job.plan or {}).get("calls", 1) > 1:
        lines.append(say(language, f"plan.{(job.plan or {})['kind']}", **(job.plan or {})))
    return blocks.card(lines, [confirm] * job.held + [cancel] if job.state in OPEN else [])


def result(
    language: str, job: Job, part: int, of: Structured | None, *, with_chart: bool
) -> tuple[Message, int, str | None]:
    """One part of the answer, how many parts there are, and the text for a file where they are not all."""
    rendering = markdown.render(_text(language, job, of))
    # An answer of signs that nobody can see still gets its reply.
    messages = rendering.messages or (blocks.card([]),)
    last = part == len(messages) - 1
    notes = [say(language, "result.truncated")] * job.truncated
    notes += [say(language, "result.file")] * (rendering.file is not None)
    body = messages[part]
    counts = chart_counts(language, of) if part == 0 else []
    if counts and with_chart:
        body = Message([*body.blocks[: blocks.MAX_BLOCKS - 4], _chart(language, of, counts)], body.text)
    elif counts:
        notes.append(say(language, "result.chart_legend", counts=blocks.escape(said(language, counts))))
    message = blocks.result(
        body,
        mention=job.requester if part == 0 else None,
        footer=" ".join(notes) if (last or (counts and not with_chart)) and notes else None,
    )
    return message, len(messages), rendering.file


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


def _text(language: str, job: Job, of: Structured | None) -> str:
    return job.result or "" if of is None else structured.markdown(language, of)


def plain_result(language: str, job: Job, part: int, of: Structured | None) -> Message:
    """What stands for a part of the answer whose looks Slack refuses: its beginning; the file has all of it."""
    beginning = blocks.escape(_text(language, job, of)[:PLAIN_BEGINNING]) if part == 0 else ""
    return blocks.result(
        blocks.card([beginning]),
        mention=job.requester if part == 0 else None,
        footer=say(language, "result.file"),
    )


def failure(language: str, job: Job, called: str) -> Message:
    """What failed, what to do, a reference, and the way to try again."""
    values = {name: blocks.escape(str(value)) for name, value in job.error_params.items()}
    reference = say(language, "failure.reference", reference=job.id)
    retry = Button(
        actions.RETRY, say(language, "button.retry"), str(actions.Attempt(job.id, job.attempt)), "primary"
    )
    return blocks.failure(
        say(language, "failure.title", recipe=blocks.escape(called)),
        say(language, f"error.{job.error}", **values),
        reference=reference,
        mention=job.requester,
        buttons=[retry],
        partial=blocks.escape((job.result or "")[:PLAIN_BEGINNING]),
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
