"""What people do in channels: write, edit, delete, attach, use a slash command or a shortcut.

Each takes plain words, checks them as Slack's client would, and becomes events or payloads for the app.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from playground.slack import answers, events, files, payloads, store, text
from playground.slack.errors import Refused
from playground.slack.state import BOT_USER, TEAM, Channel, Message

if TYPE_CHECKING:
    from playground.slack.stand_in import Slack

# Slack's client: a message may be 40,000 characters, ten files.
LONGEST = 40_000
MOST_FILES = 10


def person(slack: Slack, user: object) -> str:
    """A person's id, or Refused."""
    if not isinstance(user, str) or user not in slack.workspace.users or user == BOT_USER:
        raise Refused("user_not_found", "`user` must be the id of a person in this workspace.", 404)
    return user


def inside(slack: Slack, user: str, channel_id: object) -> Channel:
    """A channel this person is in, or Refused."""
    channel = slack.workspace.channels.get(channel_id) if isinstance(channel_id, str) else None
    if channel is None:
        raise Refused("channel_not_found", "`channel` must be the id of a channel.", 404)
    if user not in channel.members:
        raise Refused("not_in_channel", f"{user} is not in {channel.name}.", 403)
    if channel.is_archived:
        raise Refused("is_archived", f"{channel.name} is archived.", 403)
    return channel


def message(channel: Channel, ts: object) -> Message:
    """A message in a channel, or Refused."""
    found = channel.messages.get(ts) if isinstance(ts, str) else None
    if found is None or found.get("subtype") == "tombstone":
        raise Refused("message_not_found", "There is no message with this `ts`.", 404)
    return found


def say(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Write a message, in a channel or a thread, with files or without."""
    user = person(slack, body.get("user"))
    channel = inside(slack, user, body.get("channel"))
    words = text.clean(body.get("text"))
    if len(words) > LONGEST:
        raise Refused(
            "msg_too_long", f"Slack takes {LONGEST:,} characters in a message; this has {len(words):,}."
        )
    attached = _attached(slack, user, body.get("files") or [])
    if not words.strip() and not attached:
        raise Refused("no_text", "A message needs text or a file.")
    said = _written(slack, user, words)
    if body.get("thread_ts"):
        root = message(channel, body["thread_ts"])
        said["thread_ts"] = root.get("thread_ts", root["ts"])
    if attached:
        said |= {"subtype": "file_share", "files": [dict(file) for file in attached], "upload": False}
        files.share(slack, channel, attached, said["ts"], said.get("thread_ts"))
        said["files"] = [dict(file) for file in attached]
    return {"ts": said["ts"], "event_ids": store.post(slack, channel, said)}


def edit(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Change one's own message."""
    user, channel, own = _own(slack, body)
    words = text.clean(body.get("text"))
    if not words.strip():
        raise Refused("no_text", "An edited message needs text; delete it instead.")
    fields = {"text": text.typed(words), "blocks": text.rich_text(words, slack.workspace.new_id("")[:5])}
    fields["edited"] = {"user": user, "ts": slack.workspace.timestamp()}
    return {"ok": True, "event_ids": store.change(slack, channel, own, **fields)}


def delete(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Delete one's own message."""
    _, channel, own = _own(slack, body)
    return {"ok": True, "event_ids": store.delete(slack, channel, own["ts"])}


async def command(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Use a slash command. Slack has none in threads, so there is no `thread_ts` here."""
    user = person(slack, body.get("user"))
    if body.get("thread_ts"):
        raise Refused("not_in_threads", "Slash commands cannot be used in threads.")
    channel = inside(slack, user, body.get("channel"))
    name = text.clean(body.get("command"))
    known = slack.manifest.command(name)
    if known is None:
        raise Refused("unknown_command", f"{name[:80]} is not a valid command.", 404)
    words = text.commanded(
        text.clean(body.get("text")).strip(), slack.workspace.names(), bool(known.get("should_escape"))
    )
    form = payloads.command(slack, user, channel, name, words)
    answer = await slack.delivery.command(form)
    answers.to_command(slack, user, channel.id, name, answer)
    return {
        "status": answer.status,
        "ack": answer.body,
        "error": answer.error,
        "trigger_id": form["trigger_id"],
    }


async def shortcut(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Use a message shortcut, or without `channel` a global one."""
    user = person(slack, body.get("user"))
    callback_id = text.clean(body.get("callback_id"))
    if slack.manifest.shortcut(callback_id) is None:
        raise Refused("unknown_shortcut", f"The app has no shortcut {callback_id[:80]}.", 404)
    if body.get("channel"):
        channel = inside(slack, user, body["channel"])
        target = message(channel, body.get("ts"))
        payload = payloads.message_shortcut(slack, user, channel, target, callback_id)
    else:
        payload = payloads.shortcut(slack, user, callback_id)
    answer = await slack.delivery.interaction(payload)
    return {
        "status": answer.status,
        "ack": answer.body,
        "error": answer.error,
        "trigger_id": payload["trigger_id"],
    }


def open_home(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Look at the App Home."""
    user = person(slack, body.get("user"))
    if "app_home_opened" in slack.manifest.events:
        return {"ok": True, "event_ids": [events.send(slack, payloads.home_opened(slack, user))]}
    return {"ok": True, "event_ids": []}


def stop_session(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Press the Stop button of an agent session."""
    user = person(slack, body.get("user"))
    channel = inside(slack, user, body.get("channel"))
    root = message(channel, body.get("thread_ts"))
    streaming = [ts for ts in channel.threads.get(root["ts"], []) if slack.streams.is_open(channel.id, ts)]
    event = payloads.session_stopped(user, channel, root["ts"], streaming, slack.workspace.timestamp())
    if "agent_session_stopped" not in slack.manifest.events:
        return {"ok": True, "event_ids": []}
    return {"ok": True, "event_ids": [events.send(slack, event)]}


def _written(slack: Slack, user: str, words: str) -> Message:
    return {
        "client_msg_id": str(uuid.uuid4()),
        "type": "message",
        "text": text.typed(words),
        "user": user,
        "ts": slack.workspace.timestamp(),
        "blocks": text.rich_text(words, slack.workspace.new_id("")[:5]) if words else [],
        "team": TEAM,
    }


def _own(slack: Slack, body: dict[str, Any]) -> tuple[str, Channel, Message]:
    user = person(slack, body.get("user"))
    channel = inside(slack, user, body.get("channel"))
    own = message(channel, body.get("ts"))
    if own.get("user") != user:
        raise Refused("not_own_message", "People can only change their own messages.", 403)
    return user, channel, own


def _attached(slack: Slack, user: str, wanted: object) -> list[dict[str, Any]]:
    if not isinstance(wanted, list) or len(wanted) > MOST_FILES:
        raise Refused("bad_files", f"`files` must be a list of no more than {MOST_FILES} file ids.")
    attached = []
    for file_id in wanted:
        file = slack.workspace.files.get(file_id) if isinstance(file_id, str) else None
        if file is None or file["user"] != user:
            raise Refused("file_not_found", "A file in `files` is not this person's.", 404)
        attached.append(file)
    return attached
