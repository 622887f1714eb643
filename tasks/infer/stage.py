"""One free slot at a model server, one step from the line, one answer."""

import dataclasses
import json
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import backends, calls, jobs, leases, line, outcomes, posts, session
from db import passages as kept
from db.jobs import NewStep
from db.leases import LevelDone
from db.line import Claimed
from db.models import Backend
from tasks import deadman, items, passages, plan, rules
from tasks.infer import client, errors, hold, learn
from tasks.linefile import Server
from tasks.recipes import Recipe, form
from tasks.resources import Resources
from tasks.text import clean, tokens

log = structlog.get_logger()

# Answers that break off are the server's fault more often than the text's, but not for ever.
MOST_ATTEMPTS = 3
AFTER_BROKEN = timedelta(seconds=2)

# A bare 500 beside other calls may be memory that ran out, as services say it that nobody taught to say more: it
# lowers a learned limit, and the call is tried more often, after 2, 4, 8 s and so on.
MOST_ATTEMPTS_BESIDE_OTHERS = 6

# A backend that cannot serve is left alone for 1, 2, 4 s and so on, up to this.
LONGEST_PAUSE = timedelta(seconds=15)

_TROUBLE = {
    errors.Loading: "loading",
    errors.Unreachable: "down",
    errors.Overloaded: "busy",
    errors.OutOfMemory: "out_of_memory",
    errors.Misconfigured: "settings",
}


def infer(resources: Resources, backend: str) -> None:
    """Serve one turn after the other, as long as it is anybody's; if it is nobody's, return at once.

    A slot that becomes free is taken again here, without a bell: what a bell takes, the server would be idle.
    """
    server = resources.line.server(backend)
    if server is None:
        # A bell from before a restart with other settings.
        return
    while serve(resources, server):
        if resources.stopping.is_set():
            # For another worker; this one claims no more.
            resources.bell.ring_infer(server.name)
            return


def serve(resources: Resources, server: Server) -> bool:
    """Claim the step whose turn it is, ask the model, record the answer. False: there was no turn to be had."""
    claimed = _claim(resources, server)
    if claimed is None:
        return False
    with structlog.contextvars.bound_contextvars(job_id=claimed.job_id, step=claimed.step_id):
        log.debug("claimed")
        _ring_lanes(resources, claimed)
        _call(resources, server, claimed)
        log.debug("released")
        _ring_lanes(resources, claimed)
    return True


def _claim(resources: Resources, server: Server) -> Claimed | None:
    if resources.stopping.is_set():
        return None
    with session.reading(resources.engine) as reading:
        if not line.is_due(reading, server.name, resources.clock()):
            return None
    with session.transaction(resources.engine) as transaction:
        return line.claim(transaction, server.name, resources.clock(), hold.LEASE)


def _call(resources: Resources, server: Server, claimed: Claimed) -> None:
    try:
        answer = _ask(resources, server, claimed)
    except errors.Stopped:
        _stopped(resources, claimed)
    except errors.Later as error:
        _later(resources, server.name, claimed, error)
    except errors.ModelError as error:
        _failed(resources, server.name, claimed, error)
    else:
        _finish(resources, server, claimed, answer)
        if claimed.backend_was_troubled:
            # A server that does not stream has no first word before the last; after one this changes nothing.
            _recovered(resources.engine, server.name)


def _ask(resources: Resources, server: Server, claimed: Claimed) -> client.Answer:
    left = claimed.claimed_at + hold.LEASE - resources.clock()
    if left <= deadman.MARGIN:
        raise errors.Stopped("the database took as long as the lease lasts")
    held = hold.Hold(resources, claimed, previews=_is_read_in_slack(resources, claimed))
    troubled = claimed.backend_was_troubled

    def go_on(text: str, tokens_out: int) -> bool:
        nonlocal troubled
        if troubled and text:
            # The first word proves it: others need not wait for the last.
            try:
                _recovered(resources.heartbeats, server.name)
                troubled = False
            except SQLAlchemyError as error:
                # Somebody has the backend or a card, perhaps one who is dead: the lease is worth more.
                log.warning("backend.unrecovered", error=type(error).__name__)
        return held.stands(text, tokens_out)

    resources.deadman.hold(claimed, left)
    try:
        return _complete(resources, server, claimed, go_on)
    finally:
        resources.deadman.release(claimed)


def _is_read_in_slack(resources: Resources, claimed: Claimed) -> bool:
    """Whether what the model writes is an answer that people can read as it comes: no part of one, and no JSON."""
    recipe = resources.recipe_of(claimed)
    prose = recipe is not None and recipe.form is None and claimed.kind in calls.WHOLE
    return prose and any(posts.is_slack(lane) for lane in claimed.lanes)


def _complete(
    resources: Resources, server: Server, claimed: Claimed, go_on: client.OnProgress
) -> client.Answer:
    settings = resources.settings
    limits = client.Limits(
        connect=settings.llm_connect_timeout,
        stall=settings.llm_stall_timeout,
        first=settings.llm_first_timeout,
        total=settings.llm_call_timeout,
    )
    call = client.Call(
        server.model, _messages(claimed), claimed.max_tokens, claimed.temperature, user=claimed.person
    )
    schema = _schema(resources, claimed)
    if schema is not None and server.name not in resources.without_forms:
        with_form = dataclasses.replace(call, response_format=_response_format(claimed, schema))
        try:
            return client.complete(resources.http, server.url, server.api_key, with_form, limits, go_on)
        except errors.Refused as error:
            log.info("backend.without_forms", backend=server.name, status=error.status)
        # What it refused may not have been the form: it is remembered only of a server that takes the rest.
        answer = client.complete(resources.http, server.url, server.api_key, call, limits, go_on)
        resources.without_forms.add(server.name)
        return answer
    return client.complete(resources.http, server.url, server.api_key, call, limits, go_on)


def _messages(claimed: Claimed) -> list[dict[str, Any]]:
    """The step's messages; its pictures stand beside the text of the last one, in OpenAI's form, each after its mark."""
    if not claimed.pictures:
        return list(claimed.messages)
    *before, last = claimed.messages
    parts: list[dict[str, Any]] = [{"type": "text", "text": last["content"]}]
    for picture in claimed.pictures:
        parts.append({"type": "text", "text": picture["mark"]})
        parts.append({"type": "image_url", "image_url": {"url": picture["url"]}})
    return [*before, {**last, "content": parts}]


def _response_format(claimed: Claimed, schema: form.Schema) -> dict[str, Any]:
    """OpenAI's way to hold a model to a schema; llama.cpp and vLLM know it."""
    return {"type": "json_schema", "json_schema": {"name": claimed.recipe, "strict": True, "schema": schema}}


def _schema(resources: Resources, claimed: Claimed) -> form.Schema | None:
    """What the step's answer must fit, if its recipe has a form."""
    recipe = _recipe(resources, claimed)
    one = form.of(recipe, claimed.question) if recipe else None
    return form.of_items(one, claimed.items) if one is not None and claimed.items else one


def _recipe(resources: Resources, claimed: Claimed) -> Recipe | None:
    """The recipe of a step: without its form, where the step was planned before the recipe had this one."""
    recipe = resources.recipe_of(claimed)
    schema = form.of(recipe, claimed.question) if recipe else None
    if recipe is None or schema is None or claimed.items:
        return recipe
    # A model that was not told of a form does not keep to it, and its answer is as good as it was then.
    told = any(form.written(schema) in message["content"] for message in claimed.messages)
    return recipe if told else recipe.model_copy(update={"form": None, "each": None})


def _finish(resources: Resources, server: Server, claimed: Claimed, answer: client.Answer) -> None:
    shown = sum(picture["tokens"] for picture in claimed.pictures)
    read = sum(tokens.estimate(message["content"]) for message in claimed.messages) + shown
    tokens_in = answer.tokens_in or read
    tokens_out = answer.tokens_out or tokens.estimate(answer.text)
    schema = _schema(resources, claimed)
    checked = form.check(schema, answer.text) if schema is not None else None
    if isinstance(checked, form.Bad) and not (claimed.kind == leases.REPAIR and claimed.items):
        _mend(resources, server, claimed, answer.text, checked, tokens_out)
        return

    # Of items that were asked for twice, those that fit are taken; the others have no answer.
    def record(transaction: Session) -> int:
        now = resources.clock()
        done = leases.finish(transaction, claimed, answer.text, tokens_in, tokens_out, answer.truncated, now)
        recipe = _recipe(resources, claimed)
        return _go_on(resources, transaction, server, recipe, done, now) if done is not None else 0

    following = session.persist(resources.engine, record)
    # The slot that this call leaves is taken again here; others may be free for the rest of the next level.
    resources.bell.ring_infer(server.name, following - 1)
    log.info("step.done", tokens_in=tokens_in, tokens_out=tokens_out)


def _mend(
    resources: Resources, server: Server, claimed: Claimed, answer: str, bad: form.Bad, tokens_out: int
) -> None:
    """An answer breaks its form: ask once more, or tell the person what there is of it."""
    log.info("step.bad_form", problems=len(bad.problems), repaired=claimed.kind == leases.REPAIR)
    with session.transaction(resources.engine) as transaction:
        now = resources.clock()
        if claimed.kind != leases.REPAIR:
            shown = sum(picture["tokens"] for picture in claimed.pictures)
            again = plan.repair(claimed.messages, answer, bad, claimed.max_tokens, server.context - shown)
            leases.ask_again(transaction, claimed, again.messages, again.tokens_in + shown, tokens_out, now)
            return
        job = leases.abandon(transaction, claimed, now)
        if job is not None:
            outcomes.fail(transaction, job, "bad_form", {"recipe": job.recipe}, now, partial=answer)


def _go_on(
    resources: Resources,
    transaction: Session,
    server: Server,
    recipe: Recipe | None,
    done: LevelDone,
    now: datetime,
) -> int:
    """A level is answered: join its answers in a next level, or give the job its result; returns the new steps."""
    job = done.job
    if recipe is None:
        outcomes.fail(
            transaction,
            job,
            "unknown_recipe",
            {"word": job.recipe, **resources.recipes_of(job.team).alternatives(job.recipe)},
            now,
        )
        return 0
    if any(done.items):
        _items_done(transaction, recipe, done, now)
        return 0
    try:
        specs = plan.next_steps(recipe, job.question, done.answers, server.context)
    except plan.ContextTooSmall as error:
        params = {"recipe": recipe.name, "tokens": error.context_tokens}
        outcomes.fail(transaction, job, "context_small", params, now)
        return 0
    if specs:
        steps = [NewStep(temperature=recipe.temperature, **vars(spec)) for spec in specs]
        ours = rules.read(transaction, job.team, job.requester, job.channel)
        rank = ours.rank(resources.line.rank(job.requester))
        jobs.add_steps(transaction, job, server.name, done.level + 1, steps, now, rank)
        posts.refresh_card(transaction, job.id)
        return len(steps)
    result = plan.final_answer(recipe, done.answers)
    if (job.plan or {}).get("kind") == "passages" and result.strip():
        given = kept.given(transaction, job.id)
        result = f"{result.strip()}\n\n{passages.note(job.question or '', result, given)}"
    # An answer of signs that nobody can see is no answer.
    if clean.clean(result):
        outcomes.answer(transaction, job, result, done.truncated, now)
    else:
        outcomes.fail(transaction, job, "model_silent", {}, now)
    return 0


def _items_done(transaction: Session, recipe: Recipe, done: LevelDone, now: datetime) -> None:
    """All items have been asked about: the answers are the result, unless there is none at all."""
    schema = form.of(recipe, done.job.question)
    said = items.gather(schema, done.answers, done.items) if schema is not None else []
    if any(each["answer"] is not None for each in said):
        result = json.dumps({"items": said}, ensure_ascii=False)
        outcomes.answer(transaction, done.job, result, done.truncated, now)
    else:
        partial = "\n\n".join(done.answers)
        outcomes.fail(transaction, done.job, "bad_form", {"recipe": recipe.name}, now, partial=partial)


def _later(resources: Resources, backend: str, claimed: Claimed, error: errors.Later) -> None:
    """The server cannot serve now: that is never the job's fault, so its place is kept and no attempt used."""
    trouble = _TROUBLE[type(error)]

    def record(transaction: Session) -> tuple[bool, bool]:
        now = resources.clock()
        # A learned limit makes room by itself, unless even one call was too many.
        learned = learn.refused(transaction, backend, trouble, claimed.claimed_at, now)
        asked = error.retry_after or None
        if learned and trouble == "busy" and asked is None and claimed.in_flight > 1:
            asked = timedelta(0)
        before = transaction.get_one(Backend, backend).trouble
        news = backends.pause(transaction, backend, trouble, now, asked, LONGEST_PAUSE)
        if news and backends.PROBED & {before, trouble}:
            # Cards speak of a server that is away, and not of one that is full.
            posts.refresh_cards_in(transaction, backend)
        return learned, news

    learned, news = session.persist(resources.engine, record)
    # In a transaction of its own: whoever refreshes the cards of many holds nothing of one (db.line).
    _give_back(resources, claimed)
    # A learned limit is full now and then: that is how it learns.
    usual = log.info if learned else log.warning
    say = log.info if not news else log.error if trouble in backends.PROBED else usual
    say("backend.trouble", backend=backend, trouble=trouble, detail=error.detail, status=error.status)


def _recovered(engine: sa.Engine, backend: str) -> None:
    with session.transaction(engine) as transaction:
        trouble = backends.recovered(transaction, backend)
        if trouble in backends.PROBED:
            posts.refresh_cards_in(transaction, backend)
    if trouble is not None:
        say = log.warning if trouble in backends.PROBED else log.info
        say("backend.recovered", backend=backend, trouble=trouble)


def _stopped(resources: Resources, claimed: Claimed) -> None:
    """The job was ended, the lease was lost, or this process is to end; the slot may go to the next: the stream
    is closed.
    """
    _give_back(resources, claimed)
    log.info("step.stopped")


def _give_back(resources: Resources, claimed: Claimed) -> None:
    def record(transaction: Session) -> None:
        now = resources.clock()
        leases.give_back(transaction, claimed, now, until=now, attempt_used=False)

    session.persist(resources.engine, record)


def _failed(resources: Resources, backend: str, claimed: Claimed, error: errors.ModelError) -> None:
    """The call failed for a reason that another moment will not mend, or not for ever."""
    log.warning("step.failed", kind=type(error).__name__, detail=error.detail, status=error.status)

    def record(transaction: Session) -> None:
        now = resources.clock()
        suspect = isinstance(error, errors.Broken) and error.status == 500 and claimed.in_flight > 1
        if suspect:
            learn.refused(transaction, backend, "busy", claimed.claimed_at, now)
        most = MOST_ATTEMPTS_BESIDE_OTHERS if suspect else MOST_ATTEMPTS
        if isinstance(error, errors.Broken) and claimed.attempts + 1 < most:
            pause = AFTER_BROKEN * 2**claimed.attempts if suspect else AFTER_BROKEN
            leases.give_back(transaction, claimed, now, until=now + pause, attempt_used=True)
            return
        job = leases.abandon(transaction, claimed, now)
        if job is None:
            return
        if isinstance(error, errors.Broken):
            outcomes.fail(transaction, job, "model_broken", {"attempts": claimed.attempts + 1}, now)
        elif isinstance(error, errors.TooLong):
            outcomes.fail(transaction, job, "context", {"detail": error.detail}, now)
        else:
            outcomes.fail(transaction, job, "model_refused", {"detail": error.detail}, now)

    session.persist(resources.engine, record)


def _ring_lanes(resources: Resources, claimed: Claimed) -> None:
    for lane in claimed.lanes:
        resources.bell.ring_deliver(lane)
