"""Looking into channels, and changing who is in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playground.slack import events, store
from playground.slack.errors import Refused
from playground.slack.people import person
from playground.slack.state import BOT_USER, Channel

if TYPE_CHECKING:
    from playground.slack.stand_in import Slack

_NAME = re.compile(r"[^\W_A-Z][\w-]{0,79}")
_GROUP = re.compile(r"S[A-Z0-9]{2,20}")
_LOCALE = re.compile(r"[a-z]{2}-[A-Z]{2}")


def messages(slack: Slack, query: dict[str, Any]) -> dict[str, Any]:
    """A channel's messages, or one thread's, the oldest first."""
    channel = _known(slack, query.get("channel"))
    thread_ts = query.get("thread_ts")
    if not thread_ts:
        return {"messages": [channel.messages[ts] for ts in channel.roots]}
    if thread_ts not in channel.messages:
        raise Refused("thread_not_found", "There is no message with this `thread_ts`.", 404)
    return {"messages": [channel.messages[ts] for ts in (thread_ts, *channel.threads.get(thread_ts, []))]}


def set_user(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Change a person's language, or whether they are a guest."""
    user = slack.workspace.users[person(slack, body.get("user"))]
    locale = body.get("locale")
    if locale is not None:
        if not isinstance(locale, str) or not _LOCALE.fullmatch(locale):
            raise Refused("bad_locale", "`locale` must look like en-US.")
        user.locale = locale
        slack.bus.publish("user", {"user": user.shown()})
    if "guest" in body:
        user.is_guest = bool(body["guest"])
    return {"user": user.shown()}


def set_group(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Make a user group, or say anew who is in it."""
    group = body.get("group")
    if not isinstance(group, str) or not _GROUP.fullmatch(group):
        raise Refused("bad_group", "`group` must be an id such as S0RESEARCH.")
    slack.workspace.groups[group] = [person(slack, user) for user in _several(body.get("members"))]
    return {"group": {"id": group, "users": slack.workspace.groups[group]}}


def set_channel(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Make a channel, or archive one, or invite and remove someone."""
    channel = _known(slack, body["channel"]) if body.get("channel") else _make(slack, body)
    if "archive" in body:
        channel.is_archived = bool(body["archive"])
    for user in _several(body.get("invite")):
        _invite(slack, channel, _member(slack, user), body.get("user"))
    for user in _several(body.get("kick")):
        if _member(slack, user) in channel.members:
            channel.members.remove(user)
    slack.bus.publish("channel", {"channel": channel.shown()})
    return {"channel": channel.shown()}


def _make(slack: Slack, body: dict[str, Any]) -> Channel:
    workspace = slack.workspace
    members = [_member(slack, user) for user in _several(body.get("members"))]
    private, direct = bool(body.get("is_private")), bool(body.get("is_im"))
    if direct:
        if len(members) != 2:
            raise Refused("bad_members", "Direct messages are between two.")
        # A conversation of two people, which the bot cannot see.
        channel = Channel(workspace.new_id("D"), "directmessage", members, is_im=True, user=members[-1])
    else:
        name = body.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refused(
                "bad_name", "`name` must be up to 80 small letters, digits, hyphens and underscores."
            )
        if any(item.name == name for item in workspace.channels.values()):
            raise Refused("name_taken", f"There is a channel {name} already.", 409)
        people = [user.id for user in workspace.users.values() if not user.is_bot]
        prefix = "G" if private else "C"
        channel = Channel(workspace.new_id(prefix), name, members or [*people, BOT_USER], is_private=private)
    channel.created = int(workspace.clock())
    workspace.channels[channel.id] = channel
    return channel


def _invite(slack: Slack, channel: Channel, user: str, inviter: object) -> None:
    if user in channel.members:
        return
    channel.members.append(user)
    by = inviter if isinstance(inviter, str) else None
    joined = {"type": "message", "subtype": "channel_join", "user": user, "ts": slack.workspace.timestamp()}
    joined["text"] = f"<@{user}> has joined the channel"
    if by:
        joined["inviter"] = by
    store.post(slack, channel, joined)
    events.joined(slack, channel, user, by)


def _known(slack: Slack, channel_id: object) -> Channel:
    channel = slack.workspace.channels.get(channel_id) if isinstance(channel_id, str) else None
    if channel is None:
        raise Refused("channel_not_found", "`channel` must be the id of a channel.", 404)
    return channel


def _member(slack: Slack, user: object) -> str:
    return BOT_USER if user == BOT_USER else person(slack, user)


def _several(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
