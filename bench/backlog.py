"""A line as long as wanted, written with a few statements: for measurements of the line alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db import session
from db.models import Backend, Base, Job, Step, Turn
from db.states import JobState, Origin, StepState

BACKEND = "main"
PEOPLE = 24
# More than any measurement has in flight, so that no claim waits for a slot.
LIMIT = 1000
TEAM = "bench"
# Numbers of jobs begin here, so that all have the same length.
FIRST = 10**12


def fill(url: str, waiting: int) -> None:
    """Let `waiting` steps of PEOPLE wait, each of a job of its own; those that wait already are among them."""
    from db.__main__ import upgrade

    upgrade(url)
    engine = session.connect(url, pool_size=1)
    try:
        with session.transaction(engine) as transaction:
            here = sa.select(sa.func.count()).select_from(Step).where(Step.state == StepState.WAITING)
            missing = waiting - (transaction.scalar(here) or 0)
            if missing > 0:
                _add(transaction, missing, datetime.now(UTC))
        if engine.dialect.name == "postgresql" and missing > waiting / 5:
            # What autovacuum does within a minute of such a change: it waits for a fifth of a table.
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("VACUUM ANALYZE jobs, steps, turns, backends"))
    finally:
        engine.dispose()


def _add(transaction: Session, count: int, now: datetime) -> None:
    if transaction.get(Backend, BACKEND) is None:
        transaction.add(Backend(name=BACKEND, limit=LIMIT))
        transaction.flush()
        transaction.add_all(
            Turn(backend=BACKEND, team=TEAM, requester=f"person-{person}", priority=1, weight=1.0)
            for person in range(PEOPLE)
        )
    transaction.execute(sa.update(Turn).values(in_line=True))
    transaction.flush()
    first_turn = transaction.scalar(sa.select(sa.func.min(Turn.id))) or 0
    known = transaction.scalar(sa.select(sa.func.count()).select_from(Job)) or 0
    numbers = _numbers(FIRST + known, count)
    number = numbers.c.number
    name = sa.cast(number, sa.String)
    person = number % PEOPLE
    job = Job(
        id="",
        source_key="",
        origin=Origin.API,
        team=TEAM,
        requester="",
        recipe="summarize",
        text="A text.",
        state=JobState.WAITING,
        deadline=now + timedelta(days=1),
        created_at=now,
    )
    who = sa.literal("person-") + sa.cast(person, sa.String)
    _copy(transaction, job, numbers, id=name, source_key=name, requester=who)
    step = Step(
        job_id="",
        backend=BACKEND,
        asked_at=now,
        attempt=1,
        level=0,
        ordinal=0,
        kind="single",
        messages=[{"role": "user", "content": "A text. " * 50}],
        tokens_in=150,
        max_tokens=900,
        temperature=0.2,
        created_at=now,
        not_before=now,
    )
    _copy(transaction, step, numbers, job_id=name, turn_id=first_turn + person)


def _numbers(first: int, count: int) -> sa.CTE:
    big = sa.BigInteger()
    numbers = sa.select(sa.literal(first, big).label("number")).cte("numbers", recursive=True)
    more = sa.select(numbers.c.number + sa.literal(1, big)).where(numbers.c.number < first + count - 1)
    return numbers.union_all(more)


def _copy(transaction: Session, row: Base, numbers: sa.CTE, **different: Any) -> None:
    """Insert the row once for each number, with some columns different in each."""
    table = type(row).__table__
    # The database numbers what is not said.
    columns = [column for column in table.columns if column.name != "id" or "id" in different]
    values = [
        different.get(column.name, sa.literal(getattr(row, column.key), column.type)) for column in columns
    ]
    query = sa.select(*values).select_from(numbers)
    transaction.execute(sa.insert(table).from_select([column.name for column in columns], query))
