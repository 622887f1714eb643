"""Sources: the tables whose rows are a job's items."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.models import Source


def keep(session: Session, job_id: str, sources: Sequence[Source]) -> None:
    """Keep a job's tables in place of those of an earlier attempt."""
    session.execute(delete(Source).where(Source.job_id == job_id))
    session.add_all(sources)


def of_job(session: Session, job_id: str) -> Sequence[Source]:
    """A job's tables in order; none if it is answered as a whole."""
    return session.scalars(select(Source).where(Source.job_id == job_id).order_by(Source.ordinal)).all()
