"""Who is in the user groups that the owners let in: asked of Slack every few minutes at most, kept with their rule."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_sdk import WebClient

from db import incidents, rules, session
from db.models import Rule
from tasks import slack
from tasks.resources import Resources
from tasks.rules import ALLOW
from tasks.slack import Trouble

log = structlog.get_logger()

# Whoever was taken out of a group may ask for so long, at most.
FRESH = timedelta(minutes=10)


def ask(client: WebClient, group_id: str, now: datetime) -> dict[str, Any]:
    """A group's members, as its rule's value keeps them; raises slack.ERRORS."""
    users = client.usergroups_users_list(usergroup=group_id)["users"]
    return {"members": sorted(users), "asked_at": now.isoformat()}


def let_in(resources: Resources, user: str) -> bool | None:
    """Whether somebody is in a group on the list; None: not as far as it is known, and Slack did not say all."""
    now = resources.clock()
    with session.reading(resources.engine) as reading:
        listed = rules.of_groups(reading, ALLOW)
    if any(user in rule.value["members"] for rule in listed if _is_fresh(rule, now)):
        return True
    untold = False
    for rule in [rule for rule in listed if not _is_fresh(rule, now)]:
        value = _ask_again(resources, rule, now)
        if value is None:
            untold = True
        elif user in value["members"]:
            return True
    return None if untold else False


def _is_fresh(rule: Rule, now: datetime) -> bool:
    return now - datetime.fromisoformat(rule.value["asked_at"]) < FRESH


def _ask_again(resources: Resources, rule: Rule, now: datetime) -> dict[str, Any] | None:
    try:
        value = ask(resources.slack, rule.scope.partition(":")[2], now)
    except slack.ERRORS as error:
        problem = slack.problem(error)
        log.warning("group.untold", group=rule.scope, code=problem.code)
        if problem.trouble is Trouble.ACCESS:
            with session.transaction(resources.engine) as transaction:
                incidents.report(transaction, "slack_refused", now, subject=problem.code)
        return None
    with session.transaction(resources.engine) as transaction:
        rules.learn(transaction, rule.scope, rule.key, value)
    return value
