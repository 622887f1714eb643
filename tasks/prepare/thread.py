"""The messages of a Slack thread as one text: who said what, in order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Thread:
    """What was said, and the files that were attached: {id, name} each."""

    text: str
    files: list[dict[str, str]]


def read(
    resources: Resources,
    team: str,
    channel: str,
    thread_ts: str,
    leave_out: str | None = None,
    only: str | None = None,
    opening: Mapping[str, Any] | None = None,
) -> Thread:
    """The thread under `thread_ts` without the message `leave_out`, or `only` one; raises slack-sdk's errors.

    `opening` is a message that stands nowhere in Slack and comes before all others: {user, text, files}.
    A thread of one message is that message's text; in a longer one each message begins with a name.
    """
    messages = [
        message
        for message in _pages(resources, channel, thread_ts)
        if (message.get("text") or message.get("files"))
        and message["ts"] != leave_out
        and only in {None, message["ts"]}
        and not _is_noise(message)
    ]
    if opening is not None:
        messages.insert(0, {**opening, "ts": thread_ts})
    us = re.compile(rf"<@{re.escape(resources.bot_user)}(?:\|[^>]*)?>[\s:,]*")
    for message in messages:
        # Calling us is not part of what was said.
        message["text"] = us.sub("", message.get("text") or "")
    names = people_in(resources, team, messages)
    files = {message["ts"]: _files(message, resources.bot_user) for message in messages}
    texts = [
        (_speaker(message, names), _words(message["text"], files[message["ts"]], names))
        for message in messages
    ]
    texts = [(speaker, text) for speaker, text in texts if text]
    attached = [file for message in messages for file in files[message["ts"]]]
    if len(texts) == 1:
        # A file's own name stands over its text; of a message that was nothing else, nothing is left to say.
        return Thread(
            clean.clean_slack(messages[0]["text"], names) if len(messages) == 1 else texts[0][1], attached
        )
    return Thread("\n\n".join(f"{speaker}: {text}" for speaker, text in texts), attached)


def attached(message: Mapping[str, Any]) -> list[dict[str, str]]:
    """The files of a message, as a job keeps them."""
    files = message.get("files")
    return [
        {"id": file["id"], "name": str(file.get("name") or file.get("title") or "")[:255]}
        for file in (files if isinstance(files, list) else [])
        if isinstance(file, Mapping) and isinstance(file.get("id"), str) and file.get("mode") != "tombstone"
    ]


def _files(message: Mapping[str, Any], us: str) -> list[dict[str, str]]:
    """Of our own files, the answers in full; charts and tables say again what stands in the thread."""
    found = attached(message)
    return [file for file in found if file["name"].endswith(".md")] if message.get("user") == us else found


def _words(text: str, files: list[dict[str, str]], names: dict[str, str]) -> str:
    marks = [f"[{file['name'] or file['id']}]" for file in files]
    return "\n".join(filter(None, [clean.clean_slack(text, names), *marks]))


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
