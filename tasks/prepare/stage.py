"""A received job becomes steps in the line."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from db import incidents, jobs, passages, places, posts, session, sources
from db.jobs import NewStep
from db.models import Job, Passage, Source
from db.states import Origin
from db.turns import Rank
from tasks import counting, items, originals, people, plan, rules, slack
from tasks.linefile import Server
from tasks.prepare import search, thread
from tasks.recipes import Recipe, form, split_request
from tasks.resources import Resources
from tasks.text import clean, mend, paste, redact
from tasks.text.kind import Kind

log = structlog.get_logger()

# Longer than the pool lets a task run (tasks.pipeline.PREPARE_TIME_LIMIT).
LEASE = timedelta(seconds=30)

# A database that is away for longer finds the job prepared again: the pool's time limit stands over this process.
WITHIN = timedelta(seconds=10)

# For a learned limit, of which this process knows nothing: bells too many find no free slot and go home.
MOST_BELLS = 16


@dataclass(frozen=True)
class Planned:
    """What a request comes to: its first calls, the plan in numbers, and the tables whose rows are its items, or the passages of
    its text."""

    recipe: Recipe
    question: str | None
    steps: Sequence[NewStep]
    outline: dict[str, Any]
    sources: Sequence[items.Source]
    passages: Sequence[Passage]

    @property
    def held(self) -> bool:
        """Whether it takes more calls than its recipe makes unasked."""
        return bool(self.outline["calls"] > self.recipe.max_calls)


class Impossible(Exception):
    """The job cannot be done as asked; the person is told `error.<code>` from the catalogue."""

    def __init__(self, code: str, /, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def prepare(resources: Resources, job_id: str) -> None:
    """Claim a job, read its text, and put its steps in line; or end it with a reason."""
    with session.transaction(resources.engine) as transaction:
        job = jobs.claim(transaction, job_id, resources.clock(), LEASE)
    if job is None:
        return
    log.debug("claimed")
    try:
        ours = _admit(resources, job)
        server = _server(resources, job)
        redaction = redact.Redaction(_hidden_kinds(resources, job.team))
        planned = _plan(resources, job, server, redaction)
        _afford(resources, ours, planned.steps)
    except (Impossible, rules.Refusal) as impossible:
        log.info("job.impossible", code=impossible.code)
        _end(resources, job, impossible)
    except SystemExit:
        # This process is told to end at once.
        with session.transaction(resources.engine) as transaction:
            jobs.give_back(transaction, job.id, job.fence, resources.clock())
        raise
    except sa.exc.DBAPIError:
        # The database's trouble is not the job's: its lease runs out and it is prepared again.
        raise
    except Exception:  # A door to what reads people's input: the person must not wait for a bug to repeat.
        log.exception("job.broke", reference=job.id)
        _end(resources, job, Impossible("bug"))
    else:
        rank = ours.rank(resources.line.rank(job.requester))
        sealed = originals.seal(resources.settings, job.id, redaction.originals)
        session.persist(
            resources.engine,
            functools.partial(_put_in_line, resources, job, server, planned, rank, sealed),
            WITHIN,
        )
        held = planned.held
        log.info("job.prepared", steps=len(planned.steps), hidden=len(redaction.originals), held=held)
        if not held:
            resources.bell.ring_infer(server.name, min(len(planned.steps), server.limit or MOST_BELLS))
    log.debug("released")
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)


def _admit(resources: Resources, job: Job) -> rules.Rules:
    """The rules about a job, which allow it: what changed since it was taken, and what Slack had to be asked for."""
    with session.reading(resources.engine) as reading:
        ours = rules.read(reading, job.team, job.requester, job.channel)
    ours.check(job.recipe)
    if ours.no_guests and job.origin is not Origin.API:
        person = people.look_up(resources, job.team, [job.requester]).get(job.requester)
        if person is None:
            raise Impossible("guest_unknown")
        if person.is_guest:
            raise Impossible("guest")
    return ours


def _afford(resources: Resources, ours: rules.Rules, steps: Sequence[NewStep]) -> None:
    """The day's tokens must be enough for the calls' input; answers count once they are there."""
    with session.reading(resources.engine) as reading:
        ours.check_tokens(reading, sum(step.tokens_in for step in steps), resources.clock())


def _put_in_line(
    resources: Resources,
    job: Job,
    server: Server,
    planned: Planned,
    rank: Rank,
    sealed: str | None,
    transaction: Session,
) -> None:
    now = resources.clock()
    ours = jobs.prepared(
        transaction,
        job.id,
        job.fence,
        server.name,
        planned.question,
        planned.steps,
        now,
        rank,
        sealed,
        plan=planned.outline,
        held=planned.held,
    )
    if ours:
        sources.keep(transaction, job.id, _rows(job, planned.sources))
        passages.keep(transaction, job.id, planned.passages)
    if ours and planned.held:
        places.estimate(transaction, job.id, server.name, planned.outline["calls"], now)


def _rows(job: Job, of: Sequence[items.Source]) -> list[Source]:
    return [
        Source(
            job_id=job.id,
            ordinal=ordinal,
            name=one.name[-255:],
            kind=one.kind,
            sheet=one.table.sheet,
            header=list(one.table.header),
            rows=[list(row) for row in one.table.rows],
        )
        for ordinal, one in enumerate(of)
    ]


def _end(resources: Resources, job: Job, impossible: Impossible | rules.Refusal) -> None:
    session.persist(
        resources.engine,
        lambda transaction: jobs.cannot_prepare(
            transaction, job.id, job.fence, impossible.code, impossible.params, resources.clock()
        ),
        WITHIN,
    )


def _server(resources: Resources, job: Job) -> Server:
    """The server whose context the text is cut for. While it is down, the sweep moves the steps to another."""
    serving = resources.line.serving(job.recipe)
    # Of a recipe that is gone, _plan speaks.
    return serving[0] if serving else resources.line.servers[0]


def _hidden_kinds(resources: Resources, team: str) -> frozenset[Kind]:
    """What a workspace hides from the model: today one setting for all; a switch of the workspace's goes here."""
    return resources.settings.hidden_kinds


def _plan(resources: Resources, job: Job, server: Server, redaction: redact.Redaction) -> Planned:
    recipe = resources.recipes.get(job.recipe)
    if recipe is None:
        raise Impossible("unknown_recipe", word=job.recipe, **resources.recipes.alternatives(job.recipe))
    question, text = _material(resources, job, recipe)
    question = _in_language(recipe, question, job.answer_language)
    if not text:
        raise Impossible("empty")
    if recipe.needs_question and not question:
        raise Impossible("no_question", recipe=recipe.name, example=recipe.example.en)
    if recipe.takes_names:
        _check_names(recipe, question)
    # From here on the model's words alone: neither steps nor results hold a value.
    question = question and redaction.text(question)
    kind = "text" if job.material_ts is None else "thread"
    documents = [redaction.document(paste.read(text, kind))]
    count = counting.Counter(resources.http, server.url, server.api_key, server.model)
    found: search.Found | None = None
    try:
        if recipe.passages and question and not plan.fits(recipe, documents, question, server.context, count):
            plan.check(recipe, documents, question, server.context, count)
            room = plan.passages_room(recipe, question, server.context)
            found = search.find(resources, job, server, documents, question, room)
        if found is not None:
            steps = plan.from_passages(recipe, found.text, question, server.context)
        else:
            steps = plan.first_steps(recipe, documents, question, server.context, count)
        outline = plan.outline(recipe, steps, question, server.context)
    except plan.TooLong as error:
        raise Impossible("too_long", recipe=recipe.name, tokens=error.tokens, limit=error.limit) from error
    except plan.TooManyItems as error:
        raise Impossible(
            "too_many_items", recipe=recipe.name, items=error.items, limit=error.limit
        ) from error
    except plan.ContextTooSmall as error:
        raise Impossible("context_small", recipe=recipe.name, tokens=error.context_tokens) from error
    new = [NewStep(temperature=recipe.temperature, **vars(step)) for step in steps]
    if found is not None:
        outline |= {"parts": len(found.rows), "items": found.chosen}
    rows = found.rows if found is not None else ()
    return Planned(recipe, question, new, outline, items.sources(documents, recipe.each), rows)


def _check_names(recipe: Recipe, question: str | None) -> None:
    """Labels to choose among are two at least; a model loses sight of very many names, or of long ones."""
    names = form.names(question)
    if recipe.takes_names == "labels" and len(names) < 2:
        raise Impossible("no_labels", recipe=recipe.name, example=recipe.example.en)
    if not names:
        raise Impossible("no_fields", recipe=recipe.name, example=recipe.example.en)
    if len(names) > form.MOST_NAMES or max(map(len, names)) > form.LONGEST_NAME:
        raise Impossible("names", recipe=recipe.name, most=form.MOST_NAMES, longest=form.LONGEST_NAME)


def _material(resources: Resources, job: Job, recipe: Recipe) -> tuple[str | None, str]:
    """The question, if the recipe takes one, and the text to work on."""
    if job.material_ts is not None and job.channel is not None:
        return clean.clean_slack(job.text, {}).strip() or None, _thread(
            resources, job, job.channel, job.material_ts
        )
    question, text = split_request(recipe, _text(resources, job))
    # A question with nothing beside it: the model answers from what it knows.
    return question, text or (question or "" if recipe.needs_question else "")


def _in_language(recipe: Recipe, question: str | None, language: str | None) -> str | None:
    """The question with the language to answer in, where the person chose one; the model reads English names."""
    if language is None:
        return question
    name = {"en": "English", "ko": "Korean"}[language]
    if recipe.takes_language:
        return question or name
    return "\n".join(part for part in (question, f"Answer in {name}.") if part)


def _text(resources: Resources, job: Job) -> str:
    text = mend.mend(job.text)
    if job.origin is Origin.API:
        return clean.clean(text)
    return clean.clean_slack(text, thread.people_in(resources, job.team, [{"text": job.text}]))


def _thread(resources: Resources, job: Job, channel: str, thread_ts: str) -> str:
    try:
        return thread.read(resources, job.team, channel, thread_ts, leave_out=job.message_ts)
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
