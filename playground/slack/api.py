"""`/api/<method>`: Slack's Web API. Token, scope, limits, then the method itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from playground.slack import door, scopes
from playground.slack.call import Call, arguments
from playground.slack.errors import SlackError
from playground.slack.methods import METHODS
from playground.slack.stand_in import dump

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from playground.slack.stand_in import Slack

log = logging.getLogger(__name__)

# Enough for every limit of Block Kit, little enough that nobody can fill the memory with one call.
LARGEST = 5_000_000
# api.test needs no token; connections are opened with the app-level token and everything else with the bot's.
_WITHOUT_TOKEN = frozenset({"api.test"})
_WITH_APP_TOKEN = frozenset({"apps.connections.open"})


class Api:
    """The ASGI endpoint of all Web API methods."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._headers = {
            "x-oauth-scopes": ",".join(sorted(slack.manifest.scopes)),
            "x-slack-backend": "playground",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        method = scope["path_params"]["method"]
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await door.read(receive, LARGEST)
            args = arguments(scope["query_string"], headers.get(b"content-type", ""), body)
        except door.TooLarge:
            await door.send_reply(send, door.Reply(dump({"ok": False, "error": "request_too_large"}), 413))
            return
        except SlackError as error:
            self._slack.record(method, {}, 200, error.body(), None)
            await door.send_reply(send, door.Reply(dump(error.body()), headers=self._headers))
            return
        token = _token(headers.get(b"authorization", ""), args)
        await door.through(
            self._slack, (scope, receive, send), method, args, lambda: self._answer(Call(method, args), token)
        )

    def _answer(self, call: Call, token: str | None) -> tuple[door.Reply, dict[str, Any]]:
        try:
            self._admit(call.method, token)
            wait = self._slack.limits.take(call.method, str(call.args.get("channel", "")))
            if wait:
                answer: dict[str, Any] = {"ok": False, "error": "ratelimited"}
                return door.Reply(dump(answer), 429, headers={"retry-after": str(wait)}), answer
            answer = {"ok": True, **METHODS[call.method](self._slack, call)}
        except SlackError as error:
            answer = error.body()
        except Exception:
            # The door: whatever a hostile payload broke, the stand-in must go on, and say so in its log.
            log.exception("the stand-in failed in %s", call.method)
            answer = {"ok": False, "error": "fatal_error"}
        return door.Reply(dump(answer), headers=self._headers), answer

    def _admit(self, method: str, token: str | None) -> None:
        if method not in METHODS:
            raise SlackError("unknown_method", req_method=method)
        if method in _WITHOUT_TOKEN:
            return
        config = self._slack.config
        if token is None:
            raise SlackError("not_authed")
        if token not in (config.bot_token, config.app_token):
            raise SlackError("invalid_auth")
        if (token == config.app_token) != (method in _WITH_APP_TOKEN):
            raise SlackError("not_allowed_token_type")
        granted = self._slack.manifest.scopes
        missing = scopes.missing(method, granted)
        if missing:
            raise SlackError("missing_scope", needed=missing, provided=",".join(sorted(granted)))


def _token(authorization: str, args: dict[str, Any]) -> str | None:
    if authorization.lower().startswith("bearer "):
        return authorization[7:].strip()
    token = args.get("token")
    return token if isinstance(token, str) and token else None
