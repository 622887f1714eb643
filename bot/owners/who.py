"""Who may do what only owners do: those that ADMINS names, and those that they added."""

from sqlalchemy.orm import Session

from tasks import rules
from tasks.resources import Resources


def is_admin(resources: Resources, session: Session, team: str, user: str) -> bool:
    """Whether a person of a workspace is an admin."""
    return user in resources.settings.admins or rules.read(session, team, user, None).is_admin
