"""A received job becomes steps in the line."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
import structlog

from db import incidents, jobs, posts, session
from db.jobs import NewStep
from db.models import Job
from db.states import Origin
from tasks import counting, originals, people, plan, rules, slack
from tasks.linefile import Server
from tasks.prepare import thread
from tasks.recipes import Recipe, split_request
from tasks.resources import Resources
from tasks.text import clean, mend, redact
from tasks.text.kind import Kind

log = structlog.get_logger()

# Longer than the pool lets a task run (tasks.pipeline.PREPARE_TIME_LIMIT).
LEASE = timedelta(seconds=30)

# A database that is away for longer finds the job prepared again: the pool's time limit stands over this process.
WITHIN = timedelta(seconds=10)

# For a learned limit, of which this process knows nothing: bells too many find no free slot and go home.
MOST_BELLS = 16


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
        question, steps = _plan(resources, job, server, redaction)
        _afford(resources, ours, steps)
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
            lambda transaction: jobs.prepared(
                transaction,
                job.id,
                job.fence,
                server.name,
                question,
                steps,
                resources.clock(),
                rank,
                sealed,
            ),
            WITHIN,
        )
        log.info("job.prepared", steps=len(steps), hidden=len(redaction.originals))
        resources.bell.ring_infer(server.name, min(len(steps), server.limit or MOST_BELLS))
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


def _plan(
    resources: Resources, job: Job, server: Server, redaction: redact.Redaction
) -> tuple[str | None, list[NewStep]]:
    recipe = resources.recipes.get(job.recipe)
    if recipe is None:
        raise Impossible("unknown_recipe", word=job.recipe, **resources.recipes.alternatives(job.recipe))
    question, text = _material(resources, job, recipe)
    question = _in_language(recipe, question, job.answer_language)
    if not text:
        raise Impossible("empty")
    if recipe.needs_question and not question:
        raise Impossible("no_question", recipe=recipe.name, example=recipe.example.en)
    # From here on the model's words alone: neither steps nor results hold a value.
    question, text = question and redaction.text(question), redaction.text(text)
    try:
        count = counting.Counter(resources.http, server.url, server.api_key, server.model)
        specs = plan.first_steps(recipe, text, question, server.context, count)
    except plan.TooLong as error:
        raise Impossible("too_long", recipe=recipe.name, tokens=error.tokens, limit=error.limit) from error
    except plan.ContextTooSmall as error:
        raise Impossible("context_small", recipe=recipe.name, tokens=error.context_tokens) from error
    return question, [NewStep(temperature=recipe.temperature, **vars(spec)) for spec in specs]


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
