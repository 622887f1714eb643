"""The messages of a Slack thread as one text: who said what, in order."""

import re
from typing import Any

from tasks import people
from tasks.resources import Resources
from tasks.slack import METADATA
from tasks.text import clean

# Our own words about the work are noise to a reader; our results are part of the conversation.
_NOISE = frozenset({"card", "failure", "notice"})
_PAGE = 200
_MOST_PAGES = 10
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


def read(resources: Resources, team: str, channel: str, thread_ts: str, leave_out: str | None) -> str:
    """The thread under `thread_ts` without the message `leave_out`; raises slack-sdk's errors.

    A thread of one message is that message's text; in a longer one each message begins with a name.
    """
    messages = [
        message
        for message in _pages(resources, channel, thread_ts)
        if message.get("text") and message["ts"] != leave_out and not _is_noise(message)
    ]
    us = re.compile(rf"<@{re.escape(resources.bot_user)}(?:\|[^>]*)?>[\s:,]*")
    for message in messages:
        # Calling us is not part of what was said.
        message["text"] = us.sub("", message["text"])
    names = people_in(resources, team, messages)
    texts = [(_speaker(message, names), clean.clean_slack(message["text"], names)) for message in messages]
    texts = [(speaker, text) for speaker, text in texts if text]
    if len(texts) == 1:
        return texts[0][1]
    return "\n\n".join(f"{speaker}: {text}" for speaker, text in texts)


def people_in(resources: Resources, team: str, messages: list[dict[str, Any]]) -> dict[str, str]:
    """Names of those who wrote `messages` or are mentioned in them, by user id."""
    users = {message["user"] for message in messages if message.get("user")}
    users.update(user for message in messages for user in _MENTION.findall(message["text"]))
    return {user: person.name for user, person in people.look_up(resources, team, users).items()}


def _pages(resources: Resources, channel: str, thread_ts: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(_MOST_PAGES):
        page = resources.slack.conversations_replies(
            channel=channel, ts=thread_ts, limit=_PAGE, cursor=cursor, include_all_metadata=True
        )
        messages += page["messages"]
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            break
    return messages


def _is_noise(message: dict[str, Any]) -> bool:
    metadata = message.get("metadata") or {}
    return metadata.get("event_type") == METADATA and metadata.get("event_payload", {}).get("kind") in _NOISE


def _speaker(message: dict[str, Any], names: dict[str, str]) -> str:
    return names.get(message.get("user", "")) or message.get("username") or message.get("user") or "?"
