"""The Bolt application: who is asked what, and what happens when that breaks."""

import logging

import structlog
from slack_bolt import App, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_sdk import WebClient

from bot import held_back
from bot.intake import NotSaved
from bot.listeners import (
    again,
    cancel,
    command,
    confirm,
    delete,
    direct,
    edit,
    feedback,
    further,
    home,
    mention,
    modal,
    own_recipe,
    reply,
    retry,
    shortcut,
    stop,
)
from bot.payloads import Malformed
from tasks.resources import Resources

log = structlog.get_logger()


def create_app(resources: Resources) -> App:
    """All listeners, on a synchronous Bolt app that answers when a listener has committed."""
    token = resources.settings.slack_bot_token.get_secret_value()

    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        # Bolt's own way asks Slack (auth.test) inside the 3 seconds, and refuses the event when Slack is slow.
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

    app = App(
        name="threadline",
        logger=logging.getLogger("slack_bolt"),
        client=WebClient(base_url=resources.settings.slack_api_url),
        authorize=authorize,
        # bot.web has verified, before anything read the body; Socket Mode needs no signature.
        request_verification_enabled=False,
        # Not for us: it would answer before any listener.
        ssl_check_enabled=False,
        # So that _failed decides what Slack is told, and what the log says, of events we have no listener for.
        raise_error_for_unhandled_request=True,
        # Listeners only commit a row; run in the caller's thread, their end is the answer.
        process_before_response=True,
    )
    held_back.register(app, resources)
    # Bolt gives each request to the first that matches: the words that stop go before those that ask.
    for listener in (
        stop,
        delete,
        edit,
        cancel,
        command,
        confirm,
        mention,
        direct,
        reply,
        shortcut,
        modal,
        own_recipe,
        home,
        retry,
        again,
        further,
        feedback,
    ):
        listener.register(app, resources)
    app.error(_failed)
    return app


def _failed(error: Exception) -> BoltResponse:
    """What Slack is told when a listener broke; never with the payload in the log."""
    if isinstance(error, Malformed):
        log.warning("payload.malformed", missing=str(error))
        return BoltResponse(status=200)
    if isinstance(error, NotSaved):
        # Not acknowledged: Slack sends the event again, and by then the database may be back (I1).
        log.error("request.not_saved", error=str(error))
        return BoltResponse(status=503)
    if isinstance(error, BoltUnhandledRequestError):
        # Such as an edit of a message: nothing was asked, and Slack must not send it again.
        log.info("request.ignored")
        return BoltResponse(status=200)
    log.error("listener.broke", exc_info=error)
    return BoltResponse(status=500)
