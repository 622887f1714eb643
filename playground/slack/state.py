"""What a Slack workspace holds: people, channels, messages and files, in memory.

This module knows no protocol. Whoever changes it says so on the bus (`store.py` does both together).
"""

import secrets
import string
import time
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]

TEAM = "T0PLAY"
DOMAIN = "playground"
BOT_USER = "U0BOT"
BOT = "B0BOT"
APP = "A0APP"
BOT_NAME = "threadline"

_ALPHABET = string.ascii_uppercase + string.digits


@dataclass
class User:
    """A person, or the bot."""

    id: str
    name: str
    real_name: str
    locale: str
    tz: str
    tz_label: str
    tz_offset: int
    is_bot: bool = False
    is_guest: bool = False

    def shown(self) -> dict[str, Any]:
        """The few fields the page needs."""
        fields = ("id", "name", "real_name", "locale", "tz", "is_bot")
        return {name: getattr(self, name) for name in fields}


@dataclass
class Channel:
    """A conversation. `roots` and `threads` hold timestamps in order; `messages` holds the objects."""

    id: str
    name: str
    members: list[str]
    is_private: bool = False
    is_im: bool = False
    user: str | None = None
    is_archived: bool = False
    created: int = 0
    messages: dict[str, Message] = field(default_factory=dict)
    roots: list[str] = field(default_factory=list)
    threads: dict[str, list[str]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Slack's `channel_type`."""
        return "im" if self.is_im else "group" if self.is_private else "channel"

    def shown(self) -> dict[str, Any]:
        """The few fields the page needs."""
        fields = ("id", "name", "is_private", "is_im", "members", "is_archived")
        shown = {name: getattr(self, name) for name in fields}
        return {**shown, "user": self.user} if self.is_im else shown


class Workspace:
    """Everything that happened so far. A fresh one is the first state."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._last_microsecond = 0
        now = int(clock())
        self.users = {user.id: user for user in _people()}
        people = [user.id for user in self.users.values() if not user.is_bot]
        self.channels: dict[str, Channel] = {}
        for channel in (
            Channel("C0GENERAL", "general", [*people, BOT_USER]),
            Channel("C0RESEARCH", "research", [*people, BOT_USER]),
            Channel("C0RANDOM", "random", list(people)),
            Channel("G0SECRET", "secret", list(people), is_private=True),
            *(_bot_dm(person) for person in people),
        ):
            channel.created = now
            self.channels[channel.id] = channel
        # User groups, by id: who is in them.
        self.groups: dict[str, list[str]] = {"S0RESEARCH": ["U0ADA", "U0MINJI"]}
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        # Files that people put into a form of the app's: it may read them, wherever they are shown.
        self.handed: set[str] = set()
        self.ephemerals: dict[str, list[Message]] = {}
        # (channel, thread_ts) -> the words that assistant.threads.setStatus shows.
        self.statuses: dict[tuple[str, str], str] = {}
        # (channel, thread_ts) -> where an agent's session stands.
        self.sessions: dict[tuple[str, str], str] = {}

    def timestamp(self) -> str:
        """A message's `ts`: seconds with six digits, never given twice."""
        self._last_microsecond = max(self._last_microsecond + 1, int(self.clock() * 1_000_000))
        return f"{self._last_microsecond // 1_000_000}.{self._last_microsecond % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        """An id that looks like Slack's: a letter and ten capitals or digits."""
        return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(10))

    def dm(self, user: str) -> Channel:
        """The bot's direct messages with a person, opened if need be."""
        for channel in self.channels.values():
            if channel.is_im and channel.user == user and BOT_USER in channel.members:
                return channel
        channel = _bot_dm(user)
        channel.created = int(self.clock())
        self.channels[channel.id] = channel
        return channel

    def names(self) -> dict[str, str]:
        """User and channel ids with the names people see."""
        return {key: item.name for items in (self.users, self.channels) for key, item in items.items()}

    def add(self, channel: Channel, message: Message) -> Message | None:
        """Put a message in its place. Returns the thread's first message when that changed."""
        ts = message["ts"]
        channel.messages[ts] = message
        root_ts = message.get("thread_ts")
        if root_ts is None or root_ts == ts:
            insort(channel.roots, ts)
            return None
        channel.threads.setdefault(root_ts, []).append(ts)
        if message.get("subtype") == "thread_broadcast":
            insort(channel.roots, ts)
        return self._count_replies(channel, root_ts)

    def remove(self, channel: Channel, ts: str) -> Message | None:
        """Take a message away. A thread's first message leaves a tombstone, as in Slack."""
        message = channel.messages[ts]
        root_ts = message.get("thread_ts")
        if channel.threads.get(ts):
            message.clear()
            message.update(
                type="message", subtype="tombstone", user="USLACKBOT", text="This message was deleted.", ts=ts
            )
            return self._count_replies(channel, ts)
        del channel.messages[ts]
        if ts in channel.roots:
            channel.roots.remove(ts)
        if root_ts is None or root_ts == ts:
            return None
        channel.threads[root_ts].remove(ts)
        return self._count_replies(channel, root_ts)

    def _count_replies(self, channel: Channel, root_ts: str) -> Message | None:
        root = channel.messages.get(root_ts)
        if root is None:
            return None
        replies = channel.threads.get(root_ts, [])
        for name in (
            "thread_ts",
            "reply_count",
            "reply_users",
            "reply_users_count",
            "latest_reply",
            "is_locked",
        ):
            root.pop(name, None)
        if replies:
            users = list(dict.fromkeys(channel.messages[ts].get("user", "") for ts in replies[-50:]))
            root.update(thread_ts=root_ts, reply_count=len(replies), reply_users=users)
            root.update(reply_users_count=len(users), latest_reply=replies[-1], is_locked=False)
        return root


def _people() -> list[User]:
    london, seoul, york = (
        ("Europe/London", "Greenwich Mean Time", 0),
        ("Asia/Seoul", "Korea Standard Time", 32_400),
        ("America/New_York", "Eastern Standard Time", -18_000),
    )
    return [
        User("U0ADA", "ada", "Ada Lovelace", "en-US", *york),
        User("U0MINJI", "minji", "김민지", "ko-KR", *seoul),
        User("U0LEO", "leo", "Leo Park", "en-GB", *london),
        User("U0SOYEON", "soyeon", "박소연", "ko-KR", *seoul),
        User(BOT_USER, BOT_NAME, "Threadline", "en-US", *london, is_bot=True),
    ]


def _bot_dm(user: str) -> Channel:
    return Channel(f"D0{user.removeprefix('U0')}", "directmessage", [user, BOT_USER], is_im=True, user=user)
