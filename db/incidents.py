"""What is for operators: written down with what happened, grouped a moment later (db.alerts)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, insert, select
from sqlalchemy.orm import Session

from db.models import Incident, table

_REPORT = insert(table(Incident))


def report(
    session: Session, cause: str, now: datetime, subject: str = "", reference: str | None = None
) -> None:
    """Write an incident down. A row of its own: whoever reports waits for no lock, and so for nobody else.

    `cause` and `subject` are codes and names, never what people wrote (I10); `reference` is a job's id.
    """
    # What a server calls its error is of any length.
    session.execute(_REPORT, {"at": now, "cause": cause, "subject": subject[:64], "reference": reference})


def are_there(session: Session) -> bool:
    """Whether there is anything to group."""
    return bool(session.scalar(select(exists().select_from(Incident))))


def take(session: Session, most: int = 500) -> Sequence[Incident]:
    """Take incidents away, the oldest first; two sweeps take different ones."""
    oldest = select(Incident).order_by(Incident.id).limit(most).with_for_update(skip_locked=True)
    taken = session.scalars(oldest).all()
    session.execute(delete(Incident).where(Incident.id.in_([one.id for one in taken])))
    return taken
