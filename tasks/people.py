"""Who people are: asked of Slack at most once a day, and remembered."""

from collections.abc import Iterable
from datetime import timedelta

import structlog
from slack_sdk import WebClient

from db import people, session
from db.models import Person
from tasks import slack
from tasks.resources import Resources

log = structlog.get_logger()

FRESH = timedelta(days=1)


def look_up(
    resources: Resources, team: str, users: Iterable[str], client: WebClient | None = None
) -> dict[str, Person]:
    """The people behind user ids. Somebody whom Slack does not tell us about is left out, not an error.

    `client` asks in place of the usual one, for whoever has less patience.
    """
    now = resources.clock()
    wanted = set(users)
    if not wanted:
        return {}
    with session.reading(resources.engine) as reading:
        found = people.known(reading, team, wanted, now - FRESH)
    for user in sorted(wanted - found.keys()):
        person = _ask(resources, client or resources.slack, team, user)
        if person is None:
            continue
        found[user] = person
        with session.transaction(resources.engine) as transaction:
            people.remember(transaction, person)
    return found


def _ask(resources: Resources, client: WebClient, team: str, user: str) -> Person | None:
    try:
        told = client.users_info(user=user, include_locale=True)["user"]
    except slack.ERRORS as error:
        log.warning("person.unknown", code=slack.problem(error).code)
        return None
    profile = told.get("profile") or {}
    name = profile.get("display_name") or told.get("real_name") or told.get("name") or user
    return Person(
        team=team,
        user=user,
        locale=told.get("locale") or "",
        name=name,
        seen_at=resources.clock(),
        # docs.slack.dev/reference/objects/user-object: guests of several channels, and of one.
        is_guest=bool(told.get("is_restricted") or told.get("is_ultra_restricted")),
    )
