"""conversations.* and users.conversations: https://docs.slack.dev/reference/methods/conversations.history"""

from bisect import bisect_left, bisect_right
from typing import Any

from playground.slack import events, scopes, store
from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.methods import find, paging
from playground.slack.stand_in import Slack
from playground.slack.state import BOT_USER, Channel, Message, Workspace

_TYPES = {"channel": "public_channel", "group": "private_channel", "im": "im"}


def described(workspace: Workspace, channel: Channel) -> dict[str, Any]:
    """A channel as Slack describes it."""
    common = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.is_archived,
        "is_org_shared": False,
    }
    common |= {"is_im": channel.is_im, "is_mpim": False, "context_team_id": "T0PLAY"}
    if channel.is_im:
        return common | {"user": channel.user, "is_user_deleted": False, "priority": 0}
    return common | {
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_private": channel.is_private,
        "is_general": channel.name == "general",
        "is_shared": False,
        "is_ext_shared": False,
        "is_member": BOT_USER in channel.members,
        "creator": channel.members[0] if channel.members else "",
        "num_members": len(channel.members),
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "unlinked": 0,
    }


def list_all(slack: Slack, call: Call) -> dict[str, Any]:
    """All channels that the bot can see."""
    return _listed(
        slack, call, [channel for channel in slack.workspace.channels.values() if _visible(channel)]
    )


def of_user(slack: Slack, call: Call) -> dict[str, Any]:
    """The channels a person is in, among those the bot can see."""
    user = find.user(slack, call).id if call.text("user") else BOT_USER
    channels = slack.workspace.channels.values()
    return _listed(slack, call, [item for item in channels if user in item.members and _visible(item)])


def info(slack: Slack, call: Call) -> dict[str, Any]:
    """One channel."""
    channel = find.channel(slack, call)
    _scope(slack, scopes.READ, channel)
    answer = described(slack.workspace, channel)
    if not call.flag("include_num_members"):
        answer.pop("num_members", None)
    return {"channel": answer}


def members(slack: Slack, call: Call) -> dict[str, Any]:
    """Who is in a channel."""
    page, cursor = paging.page(call, find.channel(slack, call).members)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def join(slack: Slack, call: Call) -> dict[str, Any]:
    """The bot enters a public channel."""
    channel = find.channel(slack, call)
    if channel.is_im or channel.is_private:
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    if BOT_USER in channel.members:
        warning = "already_in_channel"
        answer = {"channel": described(slack.workspace, channel), "warning": warning}
        return answer | {"response_metadata": {"warnings": [warning]}}
    channel.members.append(BOT_USER)
    slack.bus.publish("channel", {"channel": channel.shown()})
    joined = {"type": "message", "subtype": "channel_join", "user": BOT_USER}
    joined |= {"text": f"<@{BOT_USER}> has joined the channel", "ts": slack.workspace.timestamp()}
    store.post(slack, channel, joined)
    events.joined(slack, channel, BOT_USER, None)
    return {"channel": described(slack.workspace, channel)}


def open_dm(slack: Slack, call: Call) -> dict[str, Any]:
    """The bot's direct messages with one person."""
    if call.text("channel"):
        return {"channel": {"id": find.channel(slack, call).id}}
    users = (call.text("users") or "").split(",")
    if users == [""]:
        raise SlackError("users_list_not_supplied")
    if len(users) > 1:
        raise SlackError("not_enough_users")
    if users[0] not in slack.workspace.users:
        raise SlackError("user_not_found")
    if users[0] == BOT_USER:
        raise SlackError("cannot_dm_bot")
    known = len(slack.workspace.channels)
    channel = slack.workspace.dm(users[0])
    again = known == len(slack.workspace.channels)
    answer = described(slack.workspace, channel) if call.flag("return_im") else {"id": channel.id}
    return {"channel": answer, **({"no_op": True, "already_open": True} if again else {})}


def history(slack: Slack, call: Call) -> dict[str, Any]:
    """A channel's messages, the latest first, without the replies in threads."""
    channel = find.joined(slack, call)
    _scope(slack, scopes.HISTORY, channel)
    stamps = _between(call, channel.roots)[::-1]
    page, cursor = paging.page(call, stamps, most=999)
    answer = {"messages": [_shown(call, channel.messages[ts]) for ts in page], "has_more": bool(cursor)}
    return answer | {"pin_count": 0, "response_metadata": {"next_cursor": cursor}}


def replies(slack: Slack, call: Call) -> dict[str, Any]:
    """A thread, its first message first. A reply's own ts brings that reply alone."""
    channel = find.joined(slack, call)
    _scope(slack, scopes.HISTORY, channel)
    ts = call.needed("ts")
    if ts not in channel.messages:
        raise SlackError("thread_not_found")
    stamps = [ts, *_between(call, channel.threads.get(ts, []))]
    page, cursor = paging.page(call, stamps, default=1000, most=1000)
    answer = {"messages": [_shown(call, channel.messages[item]) for item in page], "has_more": bool(cursor)}
    return answer | {"response_metadata": {"next_cursor": cursor}}


def _listed(slack: Slack, call: Call, channels: list[Channel]) -> dict[str, Any]:
    types = {word.strip() for word in (call.text("types") or "public_channel").split(",")}
    if not types <= {"public_channel", "private_channel", "im", "mpim"}:
        raise SlackError("invalid_types")
    hide = call.flag("exclude_archived")
    kept = [item for item in channels if _TYPES[item.kind] in types and not (hide and item.is_archived)]
    page, cursor = paging.page(call, kept)
    shown = [described(slack.workspace, channel) for channel in page]
    return {"channels": shown, "response_metadata": {"next_cursor": cursor}}


def _visible(channel: Channel) -> bool:
    return channel.kind == "channel" or BOT_USER in channel.members


def _scope(slack: Slack, needed: dict[str, str], channel: Channel) -> None:
    granted = slack.manifest.scopes
    scope = needed[channel.kind]
    if scope not in granted:
        raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(granted)))


def _between(call: Call, stamps: list[str]) -> list[str]:
    """The part of a sorted list from `oldest` to `latest`; the ends count with `inclusive` only."""
    oldest, latest, inclusive = call.text("oldest"), call.text("latest"), call.flag("inclusive")
    start, end = 0, len(stamps)
    if oldest is not None:
        start = (bisect_left if inclusive else bisect_right)(stamps, _stamp(oldest))
    if latest is not None:
        end = (bisect_right if inclusive else bisect_left)(stamps, _stamp(latest))
    return stamps[start:end]


def _stamp(value: str) -> str:
    # Stamps compare as text once they have the same form: ten digits, a point, six digits.
    seconds, _, fraction = value.partition(".")
    if not seconds.isdecimal() or (fraction and not fraction.isdecimal()):
        raise SlackError("invalid_ts_latest" if value else "invalid_arguments")
    return f"{seconds:0>10}.{fraction[:6]:0<6}"


def _shown(call: Call, message: Message) -> Message:
    if "metadata" not in message or call.flag("include_all_metadata"):
        return message
    # Slack leaves metadata out unless it is asked for.
    return {name: value for name, value in message.items() if name != "metadata"}
