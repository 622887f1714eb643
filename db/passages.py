"""Passages: the pieces of a long text, their vectors, and which of them the model was given."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.models import Job, Passage

# Digests in one statement: SQLite takes 32,766 values, and drivers are quicker with fewer.
_AT_ONCE = 500


def keep(session: Session, job_id: str, passages: Sequence[Passage]) -> None:
    """Keep a job's passages in place of those of an earlier attempt."""
    session.execute(delete(Passage).where(Passage.job_id == job_id))
    session.add_all(passages)


def vectors(session: Session, team: str, model: str, digests: Collection[str]) -> dict[str, bytes]:
    """The vectors that a model gave to texts with these digests before, for the same team."""
    found: dict[str, bytes] = {}
    wanted = list(digests)
    for at in range(0, len(wanted), _AT_ONCE):
        rows = (
            select(Passage.digest, Passage.vector)
            .join(Job, Job.id == Passage.job_id)
            .where(Passage.model == model, Passage.digest.in_(wanted[at : at + _AT_ONCE]), Job.team == team)
        )
        found.update((row.digest, row.vector) for row in session.execute(rows))
    return found


def given(session: Session, job_id: str) -> Sequence[Passage]:
    """The passages that the model was given, in the order of their numbers."""
    mine = select(Passage).where(Passage.job_id == job_id, Passage.number.is_not(None))
    return session.scalars(mine.order_by(Passage.number)).all()
