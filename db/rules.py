"""Owners' rules: a value for a scope (everyone, a person, a channel) under a key, and who changed what."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.models import Change, Rule

EVERYONE = "everyone"

_RECIPES = "recipes:"


def person(user: str) -> str:
    """The scope of a Slack user id, or of an API token's name."""
    return f"person:{user}"


def channel(channel_id: str) -> str:
    """The scope of a channel."""
    return f"channel:{channel_id}"


def group(group_id: str) -> str:
    """The scope of a user group of Slack's."""
    return f"group:{group_id}"


def workspace(team: str) -> str:
    """The scope of a workspace."""
    return f"workspace:{team}"


def recipes(team: str | None) -> str:
    """The scope of the recipes that owners made for a workspace; None: for every one, and for the HTTP API."""
    return _RECIPES + (team or EVERYONE)


def team_of(scope: str) -> str | None:
    """The workspace of such a scope; None: for every one."""
    team = scope.removeprefix(_RECIPES)
    return None if team == EVERYONE else team


def about(session: Session, scopes: Collection[str]) -> dict[tuple[str, str], Any]:
    """Every rule of some scopes: (scope, key) to value."""
    found = session.execute(select(Rule.scope, Rule.key, Rule.value).where(Rule.scope.in_(scopes)))
    return {(scope, key): value for scope, key, value in found}


def get(session: Session, scope: str, key: str) -> Any:
    """The value of one rule; None: there is none."""
    rule = session.get(Rule, (scope, key))
    return rule.value if rule is not None else None


def every(session: Session) -> list[Rule]:
    """All rules but the recipes, by scope and key."""
    others = ~Rule.scope.startswith(_RECIPES, autoescape=True)
    return list(session.scalars(select(Rule).where(others).order_by(Rule.scope, Rule.key)))


def of_recipes(session: Session) -> list[Rule]:
    """All recipes that owners made, by scope and name."""
    ours = Rule.scope.startswith(_RECIPES, autoescape=True)
    return list(session.scalars(select(Rule).where(ours).order_by(Rule.scope, Rule.key)))


def of_groups(session: Session, key: str) -> list[Rule]:
    """The rules of all user groups under a key."""
    groups = Rule.scope.startswith(group(""), autoescape=True)
    return list(session.scalars(select(Rule).where(groups, Rule.key == key).order_by(Rule.scope)))


def learn(session: Session, scope: str, key: str, value: Any) -> None:
    """Write down what was found out for a rule, if it is still there; who set it, and when, stays."""
    session.execute(update(Rule).where(Rule.scope == scope, Rule.key == key).values(value=value))


def put(session: Session, scope: str, key: str, value: Any, by: str, now: datetime) -> None:
    """Set a rule, in place of the one before."""
    session.merge(Rule(scope=scope, key=key, value=value, set_by=by, set_at=now))


def take(session: Session, scope: str, key: str) -> bool:
    """Take a rule away; False: there was none."""
    gone = session.execute(delete(Rule).where(Rule.scope == scope, Rule.key == key).returning(Rule.key))
    return gone.first() is not None


def take_all(session: Session, key: str) -> None:
    """Take away the rules of every scope under a key."""
    session.execute(delete(Rule).where(Rule.key == key))


def record(session: Session, words: str, by: str, now: datetime) -> None:
    """Write down who changed what: the owner's own order."""
    session.add(Change(at=now, changed_by=by, words=words))


def latest(session: Session, most: int) -> list[Change]:
    """The latest changes, the latest first."""
    return list(session.scalars(select(Change).order_by(Change.id.desc()).limit(most)))
