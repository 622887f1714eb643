"""What each kind of post says: a job's rows and a language in, a Slack message out."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

from db.models import Job
from db.states import OPEN, JobState
from tasks import actions, place, understood
from tasks.catalogue import say
from tasks.deliver import blocks, markdown
from tasks.deliver.blocks import Button, Message

# Troubles that people are told; a busy server is nothing new to somebody who stands in line (DESIGN section 6).
_TOLD_TROUBLES = frozenset({"down", "loading", "settings"})

_CHANNEL_ADVICE = frozenset({"not_in_channel", "channel_not_found", "is_archived", "restricted_action"})


# Characters of an answer that is shown without formatting; the rest is in its file.
_PLAIN_BEGINNING = 1500


@dataclass(frozen=True)
class Scene:
    """What a card shows beside the job itself."""

    done: int
    total: int
    trouble: str | None


def card(language: str, job: Job, called: str, scene: Scene, moved: dict[str, str]) -> Message:
    """The status card; `called` is the recipe's name in that language."""
    lines = [_state(language, job, blocks.escape(called), scene)]
    if job.state in {JobState.WAITING, JobState.RUNNING} and scene.trouble in _TOLD_TROUBLES:
        lines.append(say(language, f"card.trouble_{scene.trouble}"))
    lines += understood.lines(language, job, blocks.escape)
    if moved:
        advice = channel_advice(language, moved["reason"])
        lines.append(say(language, "card.moved", channel=moved["left"], advice=advice))
    cancel = Button(actions.CANCEL, say(language, "button.cancel"), str(actions.Attempt(job.id, job.attempt)))
    return blocks.card(lines, [cancel] if job.state in OPEN else [])


def result(language: str, job: Job, part: int) -> tuple[Message, int, str | None]:
    """One part of the answer, how many parts there are, and the text for a file where they are not all."""
    rendering = markdown.render(job.result or "")
    # An answer of signs that nobody can see still gets its reply.
    messages = rendering.messages or (blocks.card([]),)
    last = part == len(messages) - 1
    notes = [say(language, "result.truncated")] * job.truncated
    notes += [say(language, "result.file")] * (rendering.file is not None)
    message = blocks.result(
        messages[part],
        mention=job.requester if part == 0 else None,
        footer=" ".join(notes) if last and notes else None,
    )
    return message, len(messages), rendering.file


def plain_result(language: str, job: Job, part: int) -> Message:
    """What stands for a part of the answer whose looks Slack refuses: its beginning; the file has all of it."""
    beginning = blocks.escape((job.result or "")[:_PLAIN_BEGINNING]) if part == 0 else ""
    return blocks.result(
        blocks.card([beginning]),
        mention=job.requester if part == 0 else None,
        footer=say(language, "result.file"),
    )


def failure(language: str, job: Job, called: str) -> Message:
    """What failed, what to do, a reference, and the way to try again."""
    reference = say(language, "failure.reference", reference=job.id)
    retry = Button(
        actions.RETRY, say(language, "button.retry"), str(actions.Attempt(job.id, job.attempt)), "primary"
    )
    return blocks.failure(
        say(language, "failure.title", recipe=blocks.escape(called)),
        understood.reason(language, job, blocks.escape),
        reference=reference,
        mention=job.requester,
        buttons=[retry],
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
