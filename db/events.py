"""A job's timeline."""

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.models import Event, table

_RECORD = insert(table(Event))


def record(session: Session, job_id: str, name: str, now: datetime, **detail: str | float | None) -> None:
    """Add a line to the timeline. `detail` holds numbers, ids and codes, never what people wrote (I10)."""
    session.execute(_RECORD, {"job_id": job_id, "at": now, "name": name, "detail": detail})


def of_job(session: Session, job_id: str) -> list[Event]:
    """The whole timeline, oldest first."""
    return list(session.scalars(select(Event).where(Event.job_id == job_id).order_by(Event.id)))
