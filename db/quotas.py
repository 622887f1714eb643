"""What was used since a moment, for quotas: requests, and tokens read and written."""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from db.models import Job, Step


def requests(
    session: Session, team: str, since: datetime, requester: str | None = None, channel: str | None = None
) -> int:
    """How many requests a person made, or came from a channel; by index."""
    counted = select(func.count()).select_from(Job).where(_mine(team, since, requester, channel))
    return session.scalar(counted) or 0


def tokens(
    session: Session, team: str, since: datetime, requester: str | None = None, channel: str | None = None
) -> int:
    """The tokens of those requests' calls: what still waits counts with what it brings."""
    mine = select(Job.id).where(_mine(team, since, requester, channel))
    return (
        session.scalar(
            select(func.coalesce(func.sum(Step.tokens_in + Step.tokens_out), 0)).where(Step.job_id.in_(mine))
        )
        or 0
    )


def _mine(team: str, since: datetime, requester: str | None, channel: str | None) -> ColumnElement[bool]:
    whose = Job.requester == requester if requester is not None else Job.channel == channel
    return (Job.team == team) & whose & (Job.created_at >= since)
