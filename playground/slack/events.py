"""Which events a change brings, and the envelope they travel in.

Form: https://docs.slack.dev/apis/events-api#callback-field and the reference page of each event.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from playground.slack import text
from playground.slack.state import APP, BOT_USER, TEAM, Channel, Message

if TYPE_CHECKING:
    from playground.slack.stand_in import Slack

VERIFICATION_TOKEN = "playground-verification-token"  # noqa: S105 - Slack's old token; it proves nothing and guards nothing.
# A message event needs the subscription for its kind of channel.
_SUBSCRIPTION = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}
_MENTION_FIELDS = ["user", "ts", "client_msg_id", "text", "team", "thread_ts", "blocks", "files", "edited"]


def posted(slack: Slack, channel: Channel, message: Message) -> list[str]:
    """The events for a new message. Returns their ids."""
    ids = []
    mention = _mention(channel, message)
    if mention and "app_mention" in slack.manifest.events and BOT_USER in channel.members:
        ids.append(send(slack, mention))
    event = {**_copy(message), "channel": channel.id, "event_ts": message["ts"], "channel_type": channel.kind}
    # Slack sends a mention twice to apps that also read the channel: as a mention and as a message.
    twice = bool(ids) and slack.faults.for_event("two_events") is not None
    if twice or _hears(slack, channel):
        ids.append(send(slack, event))
    return ids


def changed(slack: Slack, channel: Channel, message: Message, previous: Message) -> list[str]:
    """The events for an edited message."""
    ids = []
    mention = _mention(channel, message)
    newly = mention and not text.mentions(previous.get("text", ""), BOT_USER)
    if mention and newly and "app_mention" in slack.manifest.events and BOT_USER in channel.members:
        ids.append(send(slack, mention))
    if _hears(slack, channel):
        fields = {"message": _copy(message), "previous_message": _copy(previous)}
        ids.append(send(slack, _hidden(slack, channel, "message_changed", **fields)))
    return ids


def deleted(slack: Slack, channel: Channel, previous: Message) -> list[str]:
    """The events for a deleted message."""
    if not _hears(slack, channel):
        return []
    fields = {"previous_message": _copy(previous), "deleted_ts": previous["ts"]}
    return [send(slack, _hidden(slack, channel, "message_deleted", **fields))]


def joined(slack: Slack, channel: Channel, user: str, inviter: str | None) -> None:
    """Someone joined a channel that the app can see."""
    if "member_joined_channel" not in slack.manifest.events or BOT_USER not in channel.members:
        return
    event = {"type": "member_joined_channel", "user": user, "channel": channel.id, "team": TEAM}
    event |= {"channel_type": channel.id[0], "event_ts": slack.workspace.timestamp()}
    if inviter:
        event["inviter"] = inviter
    send(slack, event)


def send(slack: Slack, event: dict[str, Any]) -> str:
    """Put an event in its envelope and send it. Returns its `event_id`."""
    return slack.delivery.event(envelope(slack, event))


def envelope(slack: Slack, event: dict[str, Any]) -> dict[str, Any]:
    """The whole body of an event request."""
    context = {"et": event["type"], "tid": TEAM, "aid": APP, "cid": event.get("channel")}
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": slack.workspace.new_id("Ev"),
        "event_time": int(slack.workspace.clock()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": "4-" + base64.urlsafe_b64encode(json.dumps(context).encode()).decode().rstrip("="),
    }


def _mention(channel: Channel, message: Message) -> dict[str, Any] | None:
    # In a direct message with the bot there is no app_mention, only the message.
    if channel.is_im or message.get("bot_id") or not text.mentions(message.get("text", ""), BOT_USER):
        return None
    mention = {name: message[name] for name in _MENTION_FIELDS if name in message}
    return {"type": "app_mention", **mention, "channel": channel.id, "event_ts": message["ts"]}


def _hears(slack: Slack, channel: Channel) -> bool:
    return BOT_USER in channel.members and _SUBSCRIPTION[channel.kind] in slack.manifest.events


def _hidden(slack: Slack, channel: Channel, subtype: str, **fields: Any) -> dict[str, Any]:
    ts = slack.workspace.timestamp()
    event = {"type": "message", "subtype": subtype, **fields, "channel": channel.id, "hidden": True}
    return {**event, "ts": ts, "event_ts": ts, "channel_type": channel.kind}


def _copy(message: Message) -> Message:
    # A message event carries no metadata unless the app subscribed to metadata events, and no counts of replies.
    return {name: value for name, value in message.items() if name not in ("metadata", "streaming_state")}
