"""A received job becomes steps in the line."""

import functools
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from db import passages, places, posts, preparing, session, sources
from db.jobs import NewStep
from db.models import Job, Source
from db.preparing import Understood
from db.states import Origin
from db.turns import Rank
from tasks import groups, items, originals, people, rules, understood
from tasks.linefile import Server
from tasks.prepare import material, planning
from tasks.prepare.hold import LEASE, Hold, Lost
from tasks.prepare.impossible import Impossible
from tasks.prepare.inputs import Material
from tasks.prepare.planning import Planned
from tasks.resources import Resources
from tasks.text import redact

log = structlog.get_logger()

# A database that is away for longer finds the job prepared again: the pool's time limit stands over this process.
WITHIN = timedelta(seconds=10)

# While more comes than the machine can bear, people see their cards first: preparing waits as long as a card is late,
# and goes on after a while all the same, for `deliver` may be down.
CARD_LATE = timedelta(seconds=0.1)
LOOK_AGAIN = timedelta(seconds=0.05)
MOST_LOOKS = 10

# For a learned limit, of which this process knows nothing: bells too many find no free slot and go home.
MOST_BELLS = 16


def prepare(resources: Resources, job_id: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Claim a job, read its text, and put its steps in line; or end it with a reason."""
    _let_cards_go_first(resources, sleep)
    with session.transaction(resources.engine) as transaction:
        job = preparing.claim(transaction, job_id, resources.clock(), LEASE)
    if job is None:
        return
    log.debug("claimed")
    try:
        _prepare(resources, job)
    except Lost:
        log.info("job.lost")
        return
    except SystemExit:
        # This process is told to end (tasks.children).
        _give_back(resources, job)
        raise
    log.debug("released")


def _let_cards_go_first(resources: Resources, sleep: Callable[[float], None]) -> None:
    for _ in range(MOST_LOOKS):
        with session.reading(resources.engine) as reading:
            if not posts.is_card_late(reading, resources.clock(), CARD_LATE):
                return
        sleep(LOOK_AGAIN.total_seconds())


def _prepare(resources: Resources, job: Job) -> None:
    """Read and plan; the outcome is written. Raises Lost."""
    made = Material()
    try:
        ours = _admit(resources, job)
        server = _server(resources, job)
        redaction = redact.Redaction(ours.hides(resources.settings.hidden_kinds))
        planned = _plan(resources, job, server, made, redaction)
        _afford(resources, ours, planned.steps)
    except (Impossible, rules.Refusal) as impossible:
        log.info("job.impossible", code=impossible.code)
        _end(resources, job, impossible, made)
    except (Lost, sa.exc.DBAPIError):
        # The database's trouble is not the job's: its lease runs out and it is prepared again.
        raise
    except Exception:  # A door to what reads people's input: the person must not wait for a bug to repeat.
        log.exception("job.broke", reference=job.id)
        _end(resources, job, Impossible("bug"), made)
    else:
        rank = ours.rank(resources.line.rank(job.requester))
        sealed = originals.seal(resources.settings, job.id, redaction.originals)
        told = understood.rows(made.documents, made.left_out, len(planned.steps))
        put = functools.partial(_put_in_line, resources, job, server, planned, rank, sealed, told)
        session.persist(resources.engine, put, WITHIN)
        held = planned.held
        log.info("job.prepared", steps=len(planned.steps), hidden=len(redaction.originals), held=held)
        if held:
            _ring_lanes(resources, job)
        else:
            # That it stands in line is one edit with its place, which the sweep finds and rings for (db.places).
            resources.bell.ring_infer(server.name, min(len(planned.steps), server.limit or MOST_BELLS))


def _give_back(resources: Resources, job: Job) -> None:
    try:
        # Of little patience: a platform soon ends this process by force, and the lease runs out all the same.
        with session.transaction(resources.heartbeats) as transaction:
            if preparing.give_back(transaction, job.id, job.fence, resources.clock()):
                log.info("job.given_back")
    except sa.exc.SQLAlchemyError as error:
        log.warning("job.unreleased", job_id=job.id, error=type(error).__name__)


def _admit(resources: Resources, job: Job) -> rules.Rules:
    """The rules about a job, which allow it: what changed since it was taken, and what Slack had to be asked for."""
    with session.reading(resources.engine) as reading:
        from_slack = job.origin is not Origin.API
        ours = rules.read(reading, job.team, job.requester, job.channel, has_groups=from_slack)
    ours.check(job.recipe)
    if ours.is_unlisted:
        is_in = groups.let_in(resources, job.requester)
        if is_in is None:
            raise Impossible("group_unknown")
        if not is_in:
            raise Impossible("not_allowed")
    if ours.no_guests and from_slack:
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
    told: Understood,
    transaction: Session,
) -> None:
    now = resources.clock()
    ours = preparing.prepared(
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
        understood=told,
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


def _end(resources: Resources, job: Job, impossible: Impossible | rules.Refusal, made: Material) -> None:
    told = understood.rows(made.documents, made.left_out, 1)
    session.persist(
        resources.engine,
        lambda transaction: preparing.cannot_prepare(
            transaction, job.id, job.fence, impossible.code, impossible.params, resources.clock(), told
        ),
        WITHIN,
    )
    _ring_lanes(resources, job)


def _ring_lanes(resources: Resources, job: Job) -> None:
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)


def _server(resources: Resources, job: Job) -> Server:
    """The server whose context the text is cut for. While it is down, the sweep moves the steps to another."""
    serving = resources.serving(job)
    # Of a recipe that is gone, _plan speaks.
    return serving[0] if serving else resources.line.servers[0]


def _plan(
    resources: Resources, job: Job, server: Server, made: Material, redaction: redact.Redaction
) -> Planned:
    """Read, then plan. What was read stands in `made` also when that fails: the person is told of it."""
    recipe = resources.recipe_of(job)
    if recipe is None:
        alternatives = resources.recipes_of(job.team).alternatives(job.recipe)
        raise Impossible("unknown_recipe", word=job.recipe, **alternatives)
    # The other half is for what stands beside them, and for the answer.
    made.picture_room = server.context // 2 if server.vision else 0
    material.read(resources, job, recipe, Hold(resources, job), made)
    if made.left_out and not made.documents:
        raise Impossible("unread")
    if not made.documents:
        raise Impossible("empty")
    return planning.of(resources, job, recipe, made, server, redaction)
