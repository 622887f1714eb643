"""A received job becomes steps in the line."""

from datetime import timedelta

import sqlalchemy as sa
import structlog

from db import jobs, posts, session
from db.jobs import NewStep
from db.models import Job
from db.states import Origin
from tasks import counting, originals, plan, slack
from tasks.linefile import Server
from tasks.prepare import thread
from tasks.recipes import Recipe, split_request
from tasks.resources import Resources
from tasks.text import clean, mend, redact
from tasks.text.kind import Kind

log = structlog.get_logger()

# Longer than the pool lets a task run (tasks.pipeline.PREPARE_TIME_LIMIT).
LEASE = timedelta(seconds=30)

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
    try:
        server = _server(resources, job)
        redaction = redact.Redaction(_hidden_kinds(resources, job.team))
        question, steps = _plan(resources, job, server, redaction)
    except Impossible as impossible:
        log.info("job.impossible", code=impossible.code)
        _end(resources, job, impossible)
    except sa.exc.DBAPIError:
        # The database's trouble is not the job's: its lease runs out and it is prepared again.
        raise
    except Exception:  # A door to what reads people's input: the person must not wait for a bug to repeat.
        log.exception("job.broke", reference=job.id)
        _end(resources, job, Impossible("bug"))
    else:
        sealed = originals.seal(resources.settings, job.id, redaction.originals)
        with session.transaction(resources.engine) as transaction:
            rank = resources.line.rank(job.requester)
            jobs.prepared(
                transaction, job.id, job.fence, server.name, question, steps, resources.clock(), rank, sealed
            )
        log.info("job.prepared", steps=len(steps), hidden=len(redaction.originals))
        resources.bell.ring_infer(server.name, min(len(steps), server.limit or MOST_BELLS))
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)


def _end(resources: Resources, job: Job, impossible: Impossible) -> None:
    with session.transaction(resources.engine) as transaction:
        jobs.cannot_prepare(
            transaction, job.id, job.fence, impossible.code, impossible.params, resources.clock()
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
        waiting = problem.trouble in {slack.Trouble.WAIT, slack.Trouble.UNCLEAR}
        raise Impossible("slack_down" if waiting else "thread_unreadable", code=problem.code) from error
