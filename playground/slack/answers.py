"""What the app answers at once or by response_url, and what people then see.

Rules: https://docs.slack.dev/interactivity/handling-user-interaction and
https://docs.slack.dev/interactivity/implementing-slash-commands (responses).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playground.slack import content, door, store
from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.stand_in import dump

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from playground.slack.delivery import Answer
    from playground.slack.hooks import Hook
    from playground.slack.stand_in import Slack

LARGEST = 1_000_000


def to_command(slack: Slack, user: str, channel: str, name: str, answer: Answer) -> None:
    """Show what a slash command brought: the app's words, or Slack's own when the app said nothing in time."""
    if not answer.ok:
        reason = "operation_timeout" if "timeout" in (answer.error or "") else "dispatch_failed"
        _system(slack, user, channel, f'{name} failed with the error "{reason}"')
        return
    body = answer.body if isinstance(answer.body, dict) else {}
    if not body.get("text") and not body.get("blocks") and not body.get("attachments"):
        return
    try:
        _say(slack, user, channel, None, body)
    except SlackError as error:
        _system(slack, user, channel, f'{name} failed with the error "{error.code}"')


def by_hook(slack: Slack, hook: Hook, body: dict[str, Any]) -> None:
    """Do what a post to a response_url asks for."""
    channel = slack.workspace.channels.get(hook.channel)
    if channel is None:
        raise SlackError("channel_not_found")
    original = channel.messages.get(hook.message_ts or "")
    call = Call("hooks", body)
    if call.flag("delete_original"):
        if original is not None:
            store.delete(slack, channel, original["ts"])
        elif hook.message_ts:
            store.unwhisper(slack, channel.id, hook.user, hook.message_ts)
        return
    if call.flag("replace_original") and hook.message_ts:
        fields = _content(body)
        if original is not None:
            store.change(slack, channel, original, **{"blocks": None, **fields})
            return
        # An ephemeral message is replaced by a new one in its place.
        store.unwhisper(slack, channel.id, hook.user, hook.message_ts)
    _say(slack, hook.user, hook.channel, hook.thread_ts, body)


class HookDoor:
    """`/hooks/...`: the ASGI endpoint of all response_urls."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one answer."""
        slack = self._slack
        key = scope["path_params"]["key"]
        try:
            raw = await door.read(receive, LARGEST)
            body = json.loads(raw)
        except (door.TooLarge, ValueError, RecursionError):
            await door.send_reply(send, door.Reply(b"invalid_payload", 400, "text/html"))
            return
        if not isinstance(body, dict) or scope["method"] != "POST":
            await door.send_reply(send, door.Reply(b"invalid_payload", 400, "text/html"))
            return

        def work() -> tuple[door.Reply, dict[str, Any]]:
            try:
                by_hook(slack, slack.hooks.use(key), body)
            except SlackError as error:
                # Slack answers 404 for a used or expired address and 400 for content it cannot take.
                status = 404 if error.code.endswith("_url") else 400
                return door.Reply(dump(error.body()), status), error.body()
            return door.Reply(b"ok", 200, "text/html"), {"ok": True}

        await door.through(slack, (scope, receive, send), "hooks", body, work)


def _say(slack: Slack, user: str, channel_id: str, thread_ts: str | None, body: dict[str, Any]) -> None:
    fields = _content(body)
    channel = slack.workspace.channels[channel_id]
    message = store.from_bot(slack, **fields)
    wanted = Call("hooks", body).text("thread_ts") or thread_ts
    root = channel.messages.get(wanted or "")
    if root is not None:
        message["thread_ts"] = root.get("thread_ts", root["ts"])
    if body.get("response_type") == "in_channel":
        store.post(slack, channel, message)
    else:
        # Slack: without response_type, only the person who acted sees the answer.
        store.whisper(slack, channel_id, user, message)


def _content(body: dict[str, Any]) -> dict[str, Any]:
    fields, _ = content.read(Call("hooks", body))
    return fields


def _system(slack: Slack, user: str, channel: str, words: str) -> None:
    message = {"type": "message", "user": "USLACKBOT", "username": "Slackbot", "text": words}
    store.whisper(slack, channel, user, message | {"ts": slack.workspace.timestamp()})
