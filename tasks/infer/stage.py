"""One free slot at a model server, one step from the line, one answer."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db import backends, jobs, line, posts, session
from db.jobs import NewStep
from db.line import Claimed, LevelDone
from tasks import plan
from tasks.infer import client, errors
from tasks.resources import Resources
from tasks.text import clean, tokens

log = structlog.get_logger()

# DESIGN section 5: leases last 30 s and are renewed by the stream's heartbeat.
LEASE = timedelta(seconds=30)
HEARTBEAT = timedelta(seconds=10)

# Answers that break off are the server's fault more often than the text's, but not for ever.
MOST_ATTEMPTS = 3
AFTER_BROKEN = timedelta(seconds=2)

# A backend that cannot serve is left alone for 1, 2, 4 s and so on, up to this.
LONGEST_PAUSE = timedelta(seconds=15)

_TROUBLE = {
    errors.Loading: "loading",
    errors.Unreachable: "down",
    errors.Overloaded: "busy",
    errors.OutOfMemory: "out_of_memory",
}


def infer(resources: Resources, backend: str) -> None:
    """Claim the step whose turn it is, ask the model, record the answer; at once nothing, if there is no turn."""
    with session.reading(resources.engine) as reading:
        if not line.is_due(reading, backend, resources.clock()):
            return
    with session.transaction(resources.engine) as transaction:
        claimed = line.claim(transaction, backend, resources.clock(), LEASE)
    if claimed is None:
        return
    structlog.contextvars.bind_contextvars(job_id=claimed.job_id, step=claimed.step_id)
    _ring_lanes(resources, claimed)
    try:
        answer = _ask(resources, claimed)
    except errors.Stopped:
        _stopped(resources, claimed)
    except errors.Later as error:
        _later(resources, backend, claimed, error)
    except errors.ModelError as error:
        _failed(resources, claimed, error)
    else:
        _finish(resources, backend, claimed, answer)
    _ring_lanes(resources, claimed)
    resources.bell.ring_infer(backend)


def _ask(resources: Resources, claimed: Claimed) -> client.Answer:
    settings = resources.settings
    renewed = tried = resources.clock()

    def heartbeat(text: str, tokens_out: int) -> bool:
        nonlocal renewed, tried
        now = resources.clock()
        if now - tried < HEARTBEAT:
            return True
        tried = now
        try:
            with session.transaction(resources.engine) as transaction:
                held = line.renew(transaction, claimed, text, tokens_out, now, LEASE)
        except DBAPIError as error:
            # The database may be back before the lease has run out; after two missed renewals it may not.
            log.warning("lease.unrenewed", error=type(error).__name__)
            return now - renewed < LEASE - HEARTBEAT
        renewed = now
        return held

    return client.complete(
        resources.http,
        settings.llm_url,
        settings.llm_api_key.get_secret_value(),
        client.Call(settings.llm_model, claimed.messages, claimed.max_tokens, claimed.temperature),
        client.Limits(
            connect=settings.llm_connect_timeout,
            stall=settings.llm_stall_timeout,
            first=settings.llm_first_timeout,
            total=settings.llm_call_timeout,
        ),
        heartbeat,
    )


def _finish(resources: Resources, backend: str, claimed: Claimed, answer: client.Answer) -> None:
    tokens_in = answer.tokens_in or sum(tokens.estimate(message["content"]) for message in claimed.messages)
    tokens_out = answer.tokens_out or tokens.estimate(answer.text)
    with session.transaction(resources.engine) as transaction:
        now = resources.clock()
        done = line.finish(transaction, claimed, answer.text, tokens_in, tokens_out, answer.truncated, now)
        if done is not None:
            _go_on(resources, transaction, backend, done, now)
    if claimed.backend_was_troubled:
        _recovered(resources, backend)
    log.info("step.done", tokens_in=tokens_in, tokens_out=tokens_out)


def _go_on(resources: Resources, transaction: Session, backend: str, done: LevelDone, now: datetime) -> None:
    """A level is answered: join its answers in a next level, or give the job its result."""
    job = done.job
    recipe = resources.recipes.get(job.recipe)
    if recipe is None:
        jobs.fail(
            transaction,
            job,
            "unknown_recipe",
            {"word": job.recipe, **resources.recipes.alternatives(job.recipe)},
            now,
        )
        return
    try:
        specs = plan.next_steps(recipe, job.question, done.answers, resources.settings.llm_context)
    except plan.ContextTooSmall as error:
        params = {"recipe": recipe.name, "tokens": error.context_tokens}
        jobs.fail(transaction, job, "context_small", params, now)
        return
    if specs:
        steps = [NewStep(temperature=recipe.temperature, **vars(spec)) for spec in specs]
        jobs.add_steps(transaction, job, backend, done.level + 1, steps, now)
        return
    result = plan.final_answer(recipe, done.answers)
    # An answer of signs that nobody can see is no answer.
    if clean.clean(result):
        jobs.answer(transaction, job, result, done.truncated, now)
    else:
        jobs.fail(transaction, job, "model_silent", {}, now)


def _later(resources: Resources, backend: str, claimed: Claimed, error: errors.Later) -> None:
    """The server cannot serve now: that is never the job's fault, so its place is kept and no attempt used."""
    trouble = _TROUBLE[type(error)]
    with session.transaction(resources.engine) as transaction:
        now = resources.clock()
        news = backends.pause(transaction, backend, trouble, now, error.retry_after, LONGEST_PAUSE)
        line.give_back(transaction, claimed, now, until=now, attempt_used=False)
        if news:
            posts.refresh_cards_in(transaction, backend)
    log.warning("backend.trouble", backend=backend, trouble=trouble, detail=error.detail, status=error.status)


def _recovered(resources: Resources, backend: str) -> None:
    with session.transaction(resources.engine) as transaction:
        if backends.recovered(transaction, backend):
            posts.refresh_cards_in(transaction, backend)
            log.warning("backend.recovered", backend=backend)


def _stopped(resources: Resources, claimed: Claimed) -> None:
    """The job was ended, or the lease was lost; the stream is closed, so the slot may go to the next."""
    with session.transaction(resources.engine) as transaction:
        now = resources.clock()
        line.give_back(transaction, claimed, now, until=now, attempt_used=False)
    log.info("step.stopped")


def _failed(resources: Resources, claimed: Claimed, error: errors.ModelError) -> None:
    """The call failed for a reason that another moment will not mend, or not for ever."""
    log.warning("step.failed", kind=type(error).__name__, detail=error.detail, status=error.status)
    with session.transaction(resources.engine) as transaction:
        now = resources.clock()
        if isinstance(error, errors.Broken) and claimed.attempts + 1 < MOST_ATTEMPTS:
            line.give_back(transaction, claimed, now, until=now + AFTER_BROKEN, attempt_used=True)
            return
        job = line.abandon(transaction, claimed, now)
        if job is None:
            return
        if isinstance(error, errors.Broken):
            jobs.fail(transaction, job, "model_broken", {"attempts": MOST_ATTEMPTS}, now)
        elif isinstance(error, errors.TooLong):
            jobs.fail(transaction, job, "context", {"detail": error.detail}, now)
        else:
            jobs.fail(transaction, job, "model_refused", {"detail": error.detail}, now)


def _ring_lanes(resources: Resources, claimed: Claimed) -> None:
    for lane in claimed.lanes:
        resources.bell.ring_deliver(lane)
