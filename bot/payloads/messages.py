"""Messages, read as requests: mentions, direct messages, replies, edits, and the shortcut on somebody's message."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.intake import Request
from bot.payloads import Payload, attached, part, text_in, thread_in, who, word
from db.states import Origin
from tasks.recipes import Asked, Recipes, split_request

LONGEST_FOLLOW_UP = 300
"""Characters. Whoever writes more in a thread, in one line, has pasted a text to work on."""

# The whole message must be the word: "stop the release and ..." is a text.
_STOP = re.compile(
    r"(?:stop|cancel|abort|취소|그만|중지|멈춰)\s*(?:해|해요|하세요|해\s?줘|해\s?주세요|please)?\s*[.!~]*",
    re.IGNORECASE,
)

# Whoever says only this to an answer wants nothing more.
_COURTESIES = frozenset(
    [
        "thanks",
        "thank",
        "you",
        "thx",
        "ty",
        "so",
        "much",
        "very",
        "ok",
        "okay",
        "great",
        "nice",
        "cool",
        "perfect",
        "got",
        "it",
        "감사합니다",
        "감사해요",
        "감사",
        "고마워요",
        "고마워",
        "고맙습니다",
        "네",
        "넵",
        "네네",
        "예",
        "ㅇㅋ",
        "ㅇㅇ",
        "ㄱㅅ",
        "오케이",
        "좋아요",
        "알겠습니다",
    ]
)
_EMOJI = re.compile(r":[\w+-]+:")

_MENTION_FIRST = re.compile(r"^\s*<@[UW][A-Z0-9]+(?:\|[^>]*)?>[\s:,]*")


@dataclass(frozen=True)
class Stop:
    """Somebody wants what they asked for here to stop. `thread_ts` None: not in a thread."""

    team: str
    user: str
    channel: str
    thread_ts: str | None


def says_stop(body: Payload) -> bool:
    """Whether somebody's message is a word of STOP and nothing else, but for our name.

    In a channel a message that names us comes as a mention too, and counts only as that.
    """
    event = body.get("event")
    if not isinstance(event, Mapping) or event.get("bot_id") or event.get("subtype") is not None:
        return False
    text = text_in(event)
    if event.get("type") == "message" and event.get("channel_type") != "im":
        return _STOP.fullmatch(text.strip()) is not None
    return _STOP.fullmatch(_without_us(text, body)) is not None


def said(body: Payload) -> str:
    """The text of a message, without our name."""
    return _without_us(text_in(part(body, "event")), body)


def stop(body: Payload) -> Stop:
    """Read such a message, or a press on Slack's own Stop button; raises Malformed."""
    event = part(body, "event")
    return Stop(word(body, "team_id"), word(event, "user"), word(event, "channel"), thread_in(event))


def deleted(body: Payload) -> str:
    """The message key of a request whose message was deleted; raises Malformed."""
    event = part(body, "event")
    return _message_key(word(body, "team_id"), word(event, "channel"), word(event, "deleted_ts", 32))


def edited(body: Payload, recipes: Recipes) -> Request | None:
    """A message as it reads after an edit, or None when its words are as before. Raises Malformed.

    Slack also calls it an edit when a link in a message gets its preview.
    """
    event = part(body, "event")
    message_now, before = part(event, "message"), part(event, "previous_message")
    if message_now.get("text") == before.get("text"):
        return None
    is_im = event.get("channel_type") == "im"
    origin = Origin.DIRECT if is_im else Origin.MENTION
    return message({**body, "event": {**message_now, "channel": event.get("channel")}}, recipes, origin)


def team(body: Payload) -> str:
    """The workspace of an event; raises Malformed."""
    return word(body, "team_id")


def is_direct(body: Payload) -> bool:
    """Whether a message event is from a direct message with the bot."""
    return part(body, "event").get("channel_type") == "im"


def message(body: Payload, recipes: Recipes, origin: Origin) -> Request | None:
    """Read a mention or a direct message; None when there is nobody to answer. Raises Malformed.

    In a thread, a message that brings neither text nor files of its own takes the thread as its text.
    """
    event = part(body, "event")
    subtype = None if event.get("subtype") is None else word(event, "subtype")
    if event.get("bot_id") or subtype not in {None, "file_share", "thread_broadcast"}:
        # Bots, ourselves among them, and notices such as "edited" or "joined the channel".
        return None
    team, channel, ts = word(body, "team_id"), word(event, "channel"), word(event, "ts", 32)
    thread = thread_in(event)
    if thread == ts:
        # A message with replies names itself as its thread, in the event of an edit.
        thread = None
    files = attached(event.get("files"))
    asked = recipes.parse_command(said(body))
    if (files or thread) and asked.unknown and recipes.closest(asked.unknown) is None:
        # A word beside a file, or in a thread, is a wish about it, unless it nearly names a recipe.
        asked = Asked(asked.recipe, asked.text)
    if thread is not None and not files and _follows_up(asked):
        # What the model said before stands in the thread, with what it was said about.
        asked = Asked(recipes.get("ask") or asked.recipe, asked.text, named=True)
    return Request(
        source_key=f"event:{word(body, 'event_id', 200)}",
        message_key=_message_key(team, channel, ts),
        origin=origin,
        team=team,
        requester=word(event, "user"),
        channel=channel,
        thread_ts=thread or ts,
        message_ts=ts,
        recipe=asked.unknown or asked.recipe.name,
        text=asked.text,
        named=asked.named or asked.unknown is not None,
        files=files,
        material_ts=thread if thread and not files and _brings_no_text(asked) else None,
    )


def reply(body: Payload, recipes: Recipes) -> Request | None:
    """Read a message in a channel's thread as a mention; None when it is not for us, as far as it shows.

    One that names us comes as a mention too; one that begins with somebody else's name is for them.
    """
    event = part(body, "event")
    text = text_in(event)
    names = _without_us(text, body) != text.strip() or _MENTION_FIRST.match(text)
    if not event.get("thread_ts") or names or (_is_courtesy(text) and not event.get("files")):
        return None
    request = message(body, recipes, Origin.MENTION)
    return request if request is not None and request.thread_ts != request.message_ts else None


def shortcut(body: Payload, recipes: Recipes) -> Request:
    """Read the message shortcut: the message it was used on is the text. Raises Malformed."""
    clicked = part(body, "message")
    team, user = who(body)
    channel, ts = word(part(body, "channel"), "id"), word(clicked, "ts", 32)
    return Request(
        source_key=f"trigger:{word(body, 'trigger_id', 200)}",
        origin=Origin.SHORTCUT,
        team=team,
        requester=user,
        channel=channel,
        thread_ts=thread_in(clicked) or ts,
        message_ts=ts,
        recipe=recipes.default.name,
        named=False,
        text=text_in(clicked),
        files=attached(clicked.get("files")),
        response_url=word(body, "response_url", 1000),
    )


def _message_key(team: str, channel: str, ts: str) -> str:
    return f"message:{team}:{channel}:{ts}"


def _follows_up(asked: Asked) -> bool:
    """A line in a thread that names no recipe speaks of the thread; a longer text speaks for itself."""
    brief = "\n" not in asked.text and len(asked.text) <= LONGEST_FOLLOW_UP
    return brief and bool(asked.text) and not asked.named and asked.unknown is None


def _is_courtesy(text: str) -> bool:
    """Whether a message has no word that asks for anything, as one of emojis alone."""
    return all(each in _COURTESIES for each in re.findall(r"\w+", _EMOJI.sub("", text.lower())))


def _brings_no_text(asked: Asked) -> bool:
    """Only a recipe's name, or only a question about what was said, or names to go by."""
    if asked.recipe.takes_names:
        return not split_request(asked.recipe, asked.text)[1]
    return not asked.text or (asked.recipe.needs_question and "\n" not in asked.text)


def _without_us(text: str, body: Payload) -> str:
    """The text without the mention that called us; other people's names stay."""
    authorizations = body.get("authorizations")
    us = authorizations[0] if isinstance(authorizations, list) and authorizations else None
    user = us.get("user_id") if isinstance(us, Mapping) else None
    if isinstance(user, str) and re.fullmatch(r"[UW][A-Z0-9]+", user):
        return re.sub(rf"\s*<@{user}(?:\|[^>]*)?>[\s:,]*", " ", text).strip()
    return _MENTION_FIRST.sub("", text).strip()
