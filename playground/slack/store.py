"""Changes to the workspace that people and the app can see: each is stored, shown on the page and sent as an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playground.slack import events
from playground.slack.state import APP, BOT, BOT_NAME, BOT_USER, TEAM, Channel, Message

if TYPE_CHECKING:
    from playground.slack.stand_in import Slack


def post(slack: Slack, channel: Channel, message: Message) -> list[str]:
    """Add a message. Returns the ids of the events it brought."""
    root = slack.workspace.add(channel, message)
    if message.get("bot_id") == BOT and "thread_ts" in message:
        # Slack clears an assistant's status when the app's next message comes.
        set_status(slack, channel.id, message["thread_ts"], "")
    slack.bus.publish("message", {"channel": channel.id, "message": dict(message)})
    if root is not None:
        slack.bus.publish("message_changed", {"channel": channel.id, "message": dict(root)})
    return events.posted(slack, channel, message)


def change(slack: Slack, channel: Channel, message: Message, **fields: Any) -> list[str]:
    """Change a message's fields; a value of None takes the field away."""
    previous = dict(message)
    for name, value in fields.items():
        if value is None:
            message.pop(name, None)
        else:
            message[name] = value
    slack.bus.publish("message_changed", {"channel": channel.id, "message": dict(message)})
    return events.changed(slack, channel, message, previous)


def touch(slack: Slack, channel: Channel, message: Message) -> None:
    """Show a change that sends no event: reactions, reply counts, a stream's next words."""
    slack.bus.publish("message_changed", {"channel": channel.id, "message": dict(message)})


def delete(slack: Slack, channel: Channel, ts: str) -> list[str]:
    """Take a message away."""
    previous = dict(channel.messages[ts])
    root = slack.workspace.remove(channel, ts)
    if ts in channel.messages:
        touch(slack, channel, channel.messages[ts])
    else:
        slack.bus.publish("message_deleted", {"channel": channel.id, "ts": ts})
        if root is not None:
            touch(slack, channel, root)
    return events.deleted(slack, channel, previous)


def whisper(slack: Slack, channel: str, user: str, message: Message) -> None:
    """Show a message to one person only."""
    kept = slack.workspace.ephemerals.setdefault(user, [])
    message["is_ephemeral"] = True
    message["channel"] = channel
    kept.append(message)
    # Slack forgets ephemeral messages at the next reload; a few hundred are enough for a page or a test.
    del kept[:-500]
    slack.bus.publish("ephemeral", {"user": user, "channel": channel, "message": dict(message)})


def unwhisper(slack: Slack, channel: str, user: str, ts: str) -> None:
    """Take an ephemeral message away."""
    kept = slack.workspace.ephemerals.get(user, [])
    slack.workspace.ephemerals[user] = [message for message in kept if message["ts"] != ts]
    slack.bus.publish("ephemeral_deleted", {"user": user, "channel": channel, "ts": ts})


def set_status(slack: Slack, channel: str, thread_ts: str, status: str) -> None:
    """Show or clear "is thinking..." in a thread."""
    statuses = slack.workspace.statuses
    if statuses.get((channel, thread_ts), "") == status:
        return
    if status:
        statuses[(channel, thread_ts)] = status
    else:
        del statuses[(channel, thread_ts)]
    slack.bus.publish("status", {"channel": channel, "thread_ts": thread_ts, "status": status})


def from_bot(slack: Slack, text: str, **fields: Any) -> Message:
    """A message of the app, as Slack keeps it."""
    profile = {"id": BOT, "app_id": APP, "name": BOT_NAME, "deleted": False, "team_id": TEAM}
    message = {"type": "message", "user": BOT_USER, "bot_id": BOT, "app_id": APP, "team": TEAM, "text": text}
    message |= {"ts": slack.workspace.timestamp(), "bot_profile": profile}
    return message | {name: value for name, value in fields.items() if value is not None}
