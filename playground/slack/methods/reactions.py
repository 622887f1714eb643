"""reactions.add and remove: https://docs.slack.dev/reference/methods/reactions.add"""

import re
from typing import Any

from playground.slack import store
from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.methods import find
from playground.slack.stand_in import Slack
from playground.slack.state import BOT_USER, Channel, Message

_NAME = re.compile(r"[a-z0-9_+'\-]{1,100}(::skin-tone-[2-6])?")


def add(slack: Slack, call: Call) -> dict[str, Any]:
    """The bot reacts."""
    channel, message, name = _read(slack, call)
    reactions = message.setdefault("reactions", [])
    reaction = next((item for item in reactions if item["name"] == name), None)
    if reaction is None:
        reaction = {"name": name, "users": [], "count": 0}
        reactions.append(reaction)
    if BOT_USER in reaction["users"]:
        raise SlackError("already_reacted")
    reaction["users"].append(BOT_USER)
    reaction["count"] += 1
    store.touch(slack, channel, message)
    return {}


def remove(slack: Slack, call: Call) -> dict[str, Any]:
    """The bot takes its reaction back."""
    channel, message, name = _read(slack, call)
    reactions = message.get("reactions", [])
    reaction = next((item for item in reactions if item["name"] == name and BOT_USER in item["users"]), None)
    if reaction is None:
        raise SlackError("no_reaction")
    reaction["users"].remove(BOT_USER)
    reaction["count"] -= 1
    if not reaction["count"]:
        reactions.remove(reaction)
    if not reactions:
        del message["reactions"]
    store.touch(slack, channel, message)
    return {}


def _read(slack: Slack, call: Call) -> tuple[Channel, Message, str]:
    name = call.needed("name").strip(":")
    if not _NAME.fullmatch(name):
        raise SlackError("invalid_name")
    channel = find.joined(slack, call)
    message = find.message(channel, call.needed("timestamp"))
    if channel.is_archived:
        raise SlackError("is_archived")
    return channel, message, name
