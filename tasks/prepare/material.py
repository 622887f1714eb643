"""What a request is about: its words, the thread, linked messages and files, as a question and documents."""

import tempfile
from pathlib import Path
from typing import Any

from db import incidents, jobs, session
from db.models import Job
from db.states import Origin
from tasks import slack
from tasks.prepare import inputs, links, thread
from tasks.prepare.extract.problem import Problem
from tasks.prepare.hold import Hold
from tasks.prepare.impossible import Impossible
from tasks.prepare.inputs import Material
from tasks.prepare.thread import Thread
from tasks.recipes import Recipe, split_request
from tasks.resources import Resources
from tasks.text import clean, mend
from tasks.text.document import Document, Section

# Words beside a file are what is asked of it; a longer text is one more thing to work on.
_LONGEST_ASKED = 1000


def read(resources: Resources, job: Job, recipe: Recipe, hold: Hold, made: Material) -> None:
    """Read everything into `made`. Raises Impossible when Slack does not answer, and Lost."""
    text, linked = (job.text, []) if job.origin is Origin.API else links.take(job.text)
    files = list(job.files)
    if job.material_ts is not None and job.channel is not None:
        found = _thread(resources, job, job.channel, job.material_ts, opening=_opening(resources, job))
        made.documents += _conversation(found.text, "")
        files += found.files
    for number, link in enumerate(linked, 1):
        files += _follow(resources, job, link, f"#{number}" if len(linked) > 1 else "", made)
    with tempfile.TemporaryDirectory(prefix="threadline-") as folder:
        inputs.read(resources, job, files, Path(folder), hold, made)
    words = _words(resources, job, text)
    made.question, own = _asked(recipe, words, bool(made.documents or made.left_out))
    if own:
        made.documents.insert(0, Document("", "text", [Section(own)]))


def _asked(recipe: Recipe, words: str, has_material: bool) -> tuple[str | None, str]:
    """The question or wish, and the text to work on."""
    if has_material and len(words) <= _LONGEST_ASKED and not recipe.takes_names:
        return words or None, ""
    question, text = split_request(recipe, words)
    if has_material:
        return question, text
    # A question with nothing beside it: the model answers from what it knows.
    return question, text or (question or "" if recipe.needs_question else "")


def _words(resources: Resources, job: Job, text: str) -> str:
    text = mend.mend(text)
    if job.origin is Origin.API:
        return clean.clean(text)
    names = thread.people_in(resources, job.team, [{"text": text}])
    return clean.clean_slack(text, names).strip()


def _conversation(text: str, name: str) -> list[Document]:
    return [Document(name, "thread", [Section(text)])] if text else []


def _opening(resources: Resources, job: Job) -> dict[str, Any] | None:
    """What began a thread that hangs from a card, as a message: a command or a form leaves none in Slack.

    Others see the answer alone, and so it is only for whoever wrote it.
    """
    assert job.channel is not None
    assert job.material_ts is not None
    with session.reading(resources.engine) as reading:
        first = jobs.that_began(reading, job.team, job.channel, job.material_ts)
    if first is None or first.requester != job.requester:
        return None
    return {"user": first.requester, "text": first.text, "files": first.files}


def _thread(
    resources: Resources,
    job: Job,
    channel: str,
    thread_ts: str,
    only: str | None = None,
    opening: dict[str, Any] | None = None,
) -> Thread:
    try:
        return thread.read(resources, job.team, channel, thread_ts, job.message_ts, only, opening)
    except slack.ERRORS as error:
        problem = slack.problem(error)
        if problem.trouble is slack.Trouble.ACCESS:
            with session.transaction(resources.engine) as transaction:
                incidents.report(
                    transaction, "slack_refused", resources.clock(), subject=problem.code, reference=job.id
                )
        # An invitation helps neither a Slack that is away nor a token that it refuses.
        mendable = problem.trouble in {slack.Trouble.CHANNEL, slack.Trouble.GONE}
        raise Impossible("thread_unreadable" if mendable else "slack_down", code=problem.code) from error


def _follow(
    resources: Resources, job: Job, link: links.Link, name: str, made: Material
) -> list[dict[str, str]]:
    """Read what a link points to; returns the files there."""
    try:
        links.check(resources, job, link)
        only = link.ts if link.thread_ts else None
        found = _thread(resources, job, link.channel, link.thread_ts or link.ts, only)
    except Problem as problem:
        made.leave_out(name, problem)
        return []
    except Impossible as impossible:
        if impossible.code == "slack_down":
            raise
        made.leave_out(name, Problem("link_unreadable", reason=str(impossible.params["code"])))
        return []
    made.documents += _conversation(found.text, name)
    return found.files
