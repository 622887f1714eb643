"""Slack saying that it holds back events of a workspace: more came than it delivers in an hour."""

from collections.abc import Callable

import structlog
from slack_bolt import App, BoltResponse

from bot import intake, payloads
from bot.payloads import notices
from db import incidents, session
from tasks.resources import Resources

log = structlog.get_logger()


def register(app: App, resources: Resources) -> None:
    """Hear it before the listeners: it comes in no envelope of an event, so none of Bolt's kinds matches it."""

    @app.middleware
    def limited(body: payloads.Payload, next_: Callable[[], BoltResponse]) -> BoltResponse:
        team = notices.held_back(body)
        if team is None:
            return next_()
        log.error("slack.events_held_back", team=team)
        # Said once a minute while it lasts. What cannot be saved is not acknowledged.
        with intake.saving(), session.transaction(resources.engine) as transaction:
            incidents.report(transaction, "events_held_back", resources.clock(), subject=team)
        return BoltResponse(status=200)
