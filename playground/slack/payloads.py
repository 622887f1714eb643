"""The bodies of commands, shortcuts and interactions, with all of Slack's fields.

Sources: https://docs.slack.dev/interactivity/implementing-slash-commands and the pages under
https://docs.slack.dev/reference/interaction-payloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playground.slack.events import VERIFICATION_TOKEN
from playground.slack.state import APP, BOT_USER, DOMAIN, TEAM, Channel, Message

if TYPE_CHECKING:
    from playground.slack.stand_in import Slack


def channel_name(channel: Channel) -> str:
    """The name Slack gives a channel in payloads: private ones and direct messages do not show theirs."""
    if channel.is_im:
        return "directmessage"
    return "privategroup" if channel.is_private else channel.name


def command(slack: Slack, user: str, channel: Channel, name: str, text: str) -> dict[str, str]:
    """The form of a slash command."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "team_domain": DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user,
        "user_name": slack.workspace.users[user].name,
        "command": name,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": slack.hooks.make("commands", user, channel.id),
        "trigger_id": slack.triggers.make(user),
    }


def shortcut(slack: Slack, user: str, callback_id: str) -> dict[str, Any]:
    """A global shortcut."""
    payload = {"type": "shortcut", **_common(slack, user), "callback_id": callback_id}
    return payload | {"action_ts": slack.workspace.timestamp()}


def message_shortcut(
    slack: Slack, user: str, channel: Channel, message: Message, callback_id: str
) -> dict[str, Any]:
    """A message shortcut."""
    thread_ts = message.get("thread_ts")
    shown = {name: value for name, value in message.items() if name != "metadata"}
    return {
        "type": "message_action",
        **_common(slack, user),
        "callback_id": callback_id,
        "action_ts": slack.workspace.timestamp(),
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "message_ts": message["ts"],
        "message": shown,
        "response_url": slack.hooks.make("app", user, channel.id, None, thread_ts),
    }


def message_action(
    slack: Slack,
    user: str,
    channel: Channel,
    message: Message,
    values: dict[str, Any],
    action: dict[str, Any],
) -> dict[str, Any]:
    """A press on something in a message."""
    ephemeral = bool(message.get("is_ephemeral"))
    container: dict[str, Any] = {"type": "message", "message_ts": message["ts"], "channel_id": channel.id}
    container["is_ephemeral"] = ephemeral
    if "thread_ts" in message:
        container["thread_ts"] = message["thread_ts"]
    payload = {"type": "block_actions", **_common(slack, user), "container": container}
    payload |= {"channel": {"id": channel.id, "name": channel_name(channel)}, "state": {"values": values}}
    if not ephemeral:
        # Slack leaves the message out when only one person can see it.
        payload["message"] = {name: value for name, value in message.items() if name != "metadata"}
    hook = slack.hooks.make("actions", user, channel.id, message["ts"], message.get("thread_ts"))
    return payload | {"response_url": hook, "actions": [action]}


def view_action(slack: Slack, user: str, view: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    """A press on something in a modal or an App Home."""
    container = {"type": "view", "view_id": view["id"]}
    return {
        "type": "block_actions",
        **_common(slack, user),
        "container": container,
        "view": view,
        "actions": [action],
    }


def view_submission(slack: Slack, user: str, view: dict[str, Any]) -> dict[str, Any]:
    """A modal's submit button."""
    return {"type": "view_submission", **_common(slack, user), "view": view, "response_urls": []}


def view_closed(slack: Slack, user: str, view: dict[str, Any], is_cleared: bool) -> dict[str, Any]:
    """A modal closed by hand."""
    payload = {"type": "view_closed", **_common(slack, user), "view": view, "is_cleared": is_cleared}
    del payload["trigger_id"]
    return payload


def home_opened(slack: Slack, user: str) -> dict[str, Any]:
    """The event for a look at the App Home."""
    event = {"type": "app_home_opened", "user": user, "channel": slack.workspace.dm(user).id, "tab": "home"}
    event["event_ts"] = slack.workspace.timestamp()
    home = slack.views.homes.get(user)
    return event | {"view": dict(home)} if home else event


def session_stopped(
    user: str, channel: Channel, thread_ts: str, streaming: list[str], at: str
) -> dict[str, Any]:
    """The event for a press on an agent session's Stop button."""
    event = {"type": "agent_session_stopped", "channel": channel.id, "thread_ts": thread_ts, "user": user}
    return event | {"streaming_message_ts": streaming, "event_ts": at, "bot_user_id": BOT_USER}


def _common(slack: Slack, user: str) -> dict[str, Any]:
    name = slack.workspace.users[user].name
    return {
        "user": {"id": user, "username": name, "name": name, "team_id": TEAM},
        "api_app_id": APP,
        "token": VERIFICATION_TOKEN,
        "team": {"id": TEAM, "domain": DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
        "trigger_id": slack.triggers.make(user),
    }
