"""Finding what a call names, and the error when it is not there or not for the bot to see."""

from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.stand_in import Slack
from playground.slack.state import BOT_USER, Channel, Message, User


def channel(slack: Slack, call: Call, name: str = "channel") -> Channel:
    """A channel that the bot can see: public, or one it is in. Others do not exist for it."""
    found = slack.workspace.channels.get(call.needed(name))
    if found is None or ((found.is_private or found.is_im) and BOT_USER not in found.members):
        raise SlackError("channel_not_found")
    return found


def writable(slack: Slack, call: Call, anyone: bool = False) -> Channel:
    """A channel that the bot may post in; `anyone` lets a user's id and a #name stand for it too.

    Without membership, a public channel needs the scope chat:write.public.
    """
    name = call.needed("channel")
    if anyone:
        name = _meant(slack, name)
    found = channel(slack, Call(call.method, {"channel": name}))
    if found.is_archived:
        raise SlackError("is_archived")
    if BOT_USER not in found.members and "chat:write.public" not in slack.manifest.scopes:
        raise SlackError("not_in_channel")
    return found


def joined(slack: Slack, call: Call, name: str = "channel") -> Channel:
    """A channel that the bot is in."""
    found = channel(slack, call, name)
    if BOT_USER not in found.members:
        raise SlackError("not_in_channel")
    return found


def user(slack: Slack, call: Call, name: str = "user") -> User:
    """A person or the bot."""
    found = slack.workspace.users.get(call.needed(name))
    if found is None:
        raise SlackError("user_not_found")
    return found


def message(channel: Channel, ts: str) -> Message:
    """A message that is there and not a tombstone."""
    found = channel.messages.get(ts)
    if found is None or found.get("subtype") == "tombstone":
        raise SlackError("message_not_found")
    return found


def thread(channel: Channel, thread_ts: str | None) -> str | None:
    """The thread a new message goes to: a reply's ts leads to the thread it is in."""
    if thread_ts is None:
        return None
    root = channel.messages.get(thread_ts)
    if root is None:
        raise SlackError("thread_not_found")
    return str(root.get("thread_ts", thread_ts))


def _meant(slack: Slack, name: str) -> str:
    if name in slack.workspace.users and name != BOT_USER:
        return slack.workspace.dm(name).id
    if name.startswith("#"):
        for found in slack.workspace.channels.values():
            if found.name == name[1:] and not found.is_im:
                return found.id
    return name
