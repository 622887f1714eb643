"""A received job becomes steps in the line."""

from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from db import jobs, posts, session
from db.jobs import NewStep, Understood
from db.models import Job
from tasks import plan, understood
from tasks.linefile import Server
from tasks.prepare import material
from tasks.prepare.hold import LEASE, Hold, Lost
from tasks.prepare.impossible import Impossible
from tasks.prepare.inputs import Material
from tasks.recipes import Recipe
from tasks.resources import Resources

log = structlog.get_logger()

# For a learned limit, of which this process knows nothing: bells too many find no free slot and go home.
MOST_BELLS = 16


@dataclass(frozen=True)
class Prepared:
    """What a job's input came to."""

    question: str | None
    steps: list[NewStep]
    understood: Understood


def prepare(resources: Resources, job_id: str) -> None:
    """Claim a job, read its text, and put its steps in line; or end it with a reason."""
    with session.transaction(resources.engine) as transaction:
        job = jobs.claim(transaction, job_id, resources.clock(), LEASE)
    if job is None:
        return
    made = Material()
    try:
        server = _server(resources, job)
        prepared = _prepare(resources, job, server, made)
    except Impossible as impossible:
        log.info("job.impossible", code=impossible.code)
        _end(resources, job, impossible, made)
    except Lost:
        log.info("job.lost")
        return
    except sa.exc.DBAPIError:
        # The database's trouble is not the job's: its lease runs out and it is prepared again.
        raise
    except Exception:  # A door to what reads people's input: the person must not wait for a bug to repeat.
        log.exception("job.broke", reference=job.id)
        _end(resources, job, Impossible("bug"), made)
    else:
        _put_in_line(resources, job, server, prepared)
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)


def _put_in_line(resources: Resources, job: Job, server: Server, prepared: Prepared) -> None:
    question, steps = prepared.question, prepared.steps
    with session.transaction(resources.engine) as transaction:
        rank, now = resources.line.rank(job.requester), resources.clock()
        jobs.prepared(
            transaction, job.id, job.fence, server.name, question, steps, now, rank, prepared.understood
        )
    log.info("job.prepared", steps=len(steps))
    resources.bell.ring_infer(server.name, min(len(steps), server.limit or MOST_BELLS))


def _end(resources: Resources, job: Job, impossible: Impossible, made: Material) -> None:
    told = understood.rows(made.documents, made.left_out, 1)
    with session.transaction(resources.engine) as transaction:
        jobs.cannot_prepare(
            transaction, job.id, job.fence, impossible.code, impossible.params, resources.clock(), told
        )


def _server(resources: Resources, job: Job) -> Server:
    """The server whose context the text is cut for. While it is down, the sweep moves the steps to another."""
    serving = resources.line.serving(job.recipe)
    # Of a recipe that is gone, _plan speaks.
    return serving[0] if serving else resources.line.servers[0]


def _prepare(resources: Resources, job: Job, server: Server, made: Material) -> Prepared:
    """Read, then plan. What was read stands in `made` also when that fails: the person is told of it."""
    recipe = resources.recipes.get(job.recipe)
    if recipe is None:
        raise Impossible("unknown_recipe", word=job.recipe, **resources.recipes.alternatives(job.recipe))
    material.read(resources, job, recipe, Hold(resources, job), made)
    if not made.documents:
        raise Impossible("unread" if made.left_out else "empty")
    if recipe.needs_question and not made.question:
        raise Impossible("no_question", recipe=recipe.name, example=recipe.example.en)
    steps = _plan(recipe, made, server.context)
    return Prepared(made.question, steps, understood.rows(made.documents, made.left_out, len(steps)))


def _plan(recipe: Recipe, made: Material, context: int) -> list[NewStep]:
    try:
        specs = plan.first_steps(recipe, material.joined(made.documents), made.question, context)
    except plan.TooLong as error:
        raise Impossible("too_long", recipe=recipe.name, tokens=error.tokens, limit=error.limit) from error
    except plan.ContextTooSmall as error:
        raise Impossible("context_small", recipe=recipe.name, tokens=error.context_tokens) from error
    return [NewStep(temperature=recipe.temperature, **vars(spec)) for spec in specs]
