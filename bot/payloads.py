"""Slack's payloads as requests: the only file that knows their shapes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from bot.intake import Request, storable
from bot.views import modal
from bot.views import note as note_view
from db.models import Job
from db.states import Origin
from tasks.actions import Attempt
from tasks.recipes import Asked, Recipe, Recipes, split_request

Payload = Mapping[str, Any]

LONGEST_FOLLOW_UP = 300
"""Characters. Whoever writes more in a thread, in one line, has pasted a text to work on."""

# The whole message must be the word: "stop the release and ..." is a text.
_STOP = re.compile(
    r"(?:stop|cancel|abort|취소|그만|중지|멈춰)\s*(?:해|해요|하세요|해\s?줘|해\s?주세요|please)?\s*[.!~]*",
    re.IGNORECASE,
)
MOST_FILES = 100
"""More than one message of Slack's can have; how many are read, preparing decides and says."""

_FILE_ID = re.compile(r"F[A-Z0-9]{2,30}")

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


class Malformed(Exception):
    """Not what Slack sends; the message names the missing key and holds nothing of the payload."""


@dataclass(frozen=True)
class Command:
    """A slash command, before it is known whether it asks for an analysis."""

    team: str
    user: str
    channel: str
    text: str
    trigger: str
    response_url: str

    def request(self, asked: Asked) -> Request:
        """The analysis it asks for: answered under a card, since a command leaves no message."""
        return Request(
            source_key=f"trigger:{self.trigger}",
            origin=Origin.COMMAND,
            team=self.team,
            requester=self.user,
            channel=self.channel,
            recipe=asked.recipe.name,
            text=asked.text,
            named=asked.named,
            response_url=self.response_url,
        )

    def opening(self) -> "Opening":
        """What is needed to open a form on it."""
        return Opening(self.team, self.user, self.trigger, self.channel, self.response_url)


@dataclass(frozen=True)
class Opening:
    """Somebody wants the form; `trigger` opens it, for 3 seconds."""

    team: str
    user: str
    trigger: str
    channel: str | None = None
    response_url: str | None = None


@dataclass(frozen=True)
class Submission:
    """A form that somebody sent, from the view with the id `view`."""

    team: str
    user: str
    view: str
    origin: modal.Origin
    filled: modal.Filled

    def too_large(self, most: int) -> tuple[str, int] | None:
        """The first file of more than `most` bytes, by name, and its size; Slack says sizes before anything is read."""
        for file in self.filled.files:
            size = file.get("size") if isinstance(file, Mapping) else None
            if isinstance(size, int) and size > most:
                return str(file.get("name") or file.get("id")), size
        return None

    def request(self, recipe: Recipe, channel: str) -> Request:
        """The analysis it asks for, answered under a card in `channel`, like a command's."""
        # In the form that the command's own text has: the question in its first line.
        question = " ".join(self.filled.question.split()) if recipe.needs_question else ""
        return Request(
            source_key=f"view:{self.view}",
            origin=Origin.COMMAND,
            team=self.team,
            requester=self.user,
            channel=channel,
            recipe=recipe.name,
            text="\n".join(part for part in (question, self.filled.text) if part),
            files=_files(self.filled.files),
            answer_language=self.filled.language,
            response_url=self.origin.response_url,
        )


@dataclass(frozen=True)
class Press:
    """Somebody pressed a button of ours."""

    team: str
    user: str
    attempt: Attempt
    # None: pressed in the App Home.
    response_url: str | None


@dataclass(frozen=True)
class Rating:
    """A thumb up or down under an answer; `trigger` opens a form, for 3 seconds."""

    team: str
    user: str
    attempt: Attempt
    good: bool
    trigger: str
    response_url: str


@dataclass(frozen=True)
class Note:
    """What was wrong with the answer of a job."""

    team: str
    user: str
    job_id: str
    text: str


@dataclass(frozen=True)
class Again:
    """The input of a job is to be worked on once more."""

    team: str
    user: str
    view: str
    job_id: str
    filled: modal.Filled

    def request(self, recipe: Recipe, job: Job) -> Request:
        """The new request, answered where the first one was."""
        question = " ".join(self.filled.question.split()) if recipe.needs_question else ""
        return Request(
            source_key=f"view:{self.view}",
            origin=job.origin,
            team=self.team,
            requester=self.user,
            channel=job.channel,
            thread_ts=job.thread_ts,
            message_ts=job.message_ts,
            material_ts=job.material_ts,
            recipe=recipe.name,
            text="\n".join(part for part in (question, job.text) if part),
            files=job.files,
            answer_language=self.filled.language,
            response_url=job.response_url,
        )


@dataclass(frozen=True)
class Choice:
    """Somebody chose an option of ours, or pressed a button that carries a plain value."""

    team: str
    user: str
    action: str
    value: str


@dataclass(frozen=True)
class Stop:
    """Somebody wants what they asked for here to stop. `thread_ts` None: not in a thread."""

    team: str
    user: str
    channel: str
    thread_ts: str | None


def read(body: bytes, content_type: str) -> Payload:
    """The payload of a request by HTTP: an event is JSON, a command a form, an interaction JSON in a form.

    Bolt's own reader takes every form that holds the word "payload" for an interaction, and so loses
    commands that speak of one. Raises Malformed.
    """
    try:
        text = body.decode()
        if content_type.startswith("application/json"):
            payload = json.loads(text)
        else:
            form = dict(parse_qsl(text, keep_blank_values=True))
            payload = json.loads(form["payload"]) if "payload" in form else form
    except (ValueError, RecursionError) as error:
        raise Malformed(type(error).__name__) from None
    return checked(payload)


def checked(payload: object) -> Payload:
    """What Bolt takes for granted on its way to a listener, by HTTP or by Socket Mode; raises Malformed."""
    if not isinstance(payload, Mapping) or not payload:
        raise Malformed("payload")
    for key in ("event", "view"):
        if not isinstance(payload.get(key, {}), Mapping):
            raise Malformed(key)
    if "actions" in payload:
        action = _action(payload)
        if payload.get("type") == "block_actions":
            _word(action, "action_id", 255)
    return payload


def command(body: Payload) -> Command:
    """Read a slash command; raises Malformed."""
    return Command(
        team=_word(body, "team_id"),
        user=_word(body, "user_id"),
        channel=_word(body, "channel_id"),
        text=body["text"].strip() if isinstance(body.get("text"), str) else "",
        trigger=_word(body, "trigger_id", 200),
        response_url=_word(body, "response_url", 1000),
    )


def says_stop(body: Payload) -> bool:
    """Whether somebody's message is a word of STOP and nothing else, but for our name.

    In a channel a message that names us comes as a mention too, and counts only as that.
    """
    event = body.get("event")
    if not isinstance(event, Mapping) or event.get("bot_id") or event.get("subtype") is not None:
        return False
    text = event["text"] if isinstance(event.get("text"), str) else ""
    if event.get("type") == "message" and event.get("channel_type") != "im":
        return _STOP.fullmatch(text.strip()) is not None
    return _STOP.fullmatch(_without_us(text, body)) is not None


def stop(body: Payload) -> Stop:
    """Read such a message, or a press on Slack's own Stop button; raises Malformed."""
    event = _part(body, "event")
    thread = _word(event, "thread_ts", 32) if event.get("thread_ts") else None
    return Stop(_word(body, "team_id"), _word(event, "user"), _word(event, "channel"), thread)


def deleted(body: Payload) -> str:
    """The message key of a request whose message was deleted; raises Malformed."""
    event = _part(body, "event")
    return _message_key(_word(body, "team_id"), _word(event, "channel"), _word(event, "deleted_ts", 32))


def edited(body: Payload, recipes: Recipes) -> Request | None:
    """A message as it reads after an edit, or None when its words are as before. Raises Malformed.

    Slack also calls it an edit when a link in a message gets its preview.
    """
    event = _part(body, "event")
    message_now, before = _part(event, "message"), _part(event, "previous_message")
    if message_now.get("text") == before.get("text"):
        return None
    is_im = event.get("channel_type") == "im"
    origin = Origin.DIRECT if is_im else Origin.MENTION
    return message({**body, "event": {**message_now, "channel": event.get("channel")}}, recipes, origin)


def is_direct(body: Payload) -> bool:
    """Whether a message event is from a direct message with the bot."""
    return _part(body, "event").get("channel_type") == "im"


def message(body: Payload, recipes: Recipes, origin: Origin) -> Request | None:
    """Read a mention or a direct message; None when there is nobody to answer. Raises Malformed.

    In a thread, a message that brings neither text nor files of its own takes the thread as its text.
    """
    event = _part(body, "event")
    subtype = None if event.get("subtype") is None else _word(event, "subtype")
    if event.get("bot_id") or subtype not in {None, "file_share", "thread_broadcast"}:
        # Bots, ourselves among them, and notices such as "edited" or "joined the channel".
        return None
    team, channel, ts = _word(body, "team_id"), _word(event, "channel"), _word(event, "ts", 32)
    thread = _word(event, "thread_ts", 32) if event.get("thread_ts") else None
    if thread == ts:
        # A message with replies names itself as its thread, in the event of an edit.
        thread = None
    text = event["text"] if isinstance(event.get("text"), str) else ""
    files = _files(event.get("files"))
    asked = recipes.parse_command(_without_us(text, body))
    if (files or thread) and asked.unknown and recipes.closest(asked.unknown) is None:
        # A word beside a file, or in a thread, is a wish about it, unless it nearly names a recipe.
        asked = Asked(asked.recipe, asked.text)
    if thread is not None and not files and _follows_up(asked):
        # What the model said before stands in the thread, with what it was said about.
        asked = Asked(recipes.get("ask") or asked.recipe, asked.text, named=True)
    return Request(
        source_key=f"event:{_word(body, 'event_id', 200)}",
        message_key=_message_key(team, channel, ts),
        origin=origin,
        team=team,
        requester=_word(event, "user"),
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
    event = _part(body, "event")
    text = event["text"] if isinstance(event.get("text"), str) else ""
    names = _without_us(text, body) != text.strip() or _MENTION_FIRST.match(text)
    if not event.get("thread_ts") or names or (_is_courtesy(text) and not event.get("files")):
        return None
    request = message(body, recipes, Origin.MENTION)
    return request if request is not None and request.thread_ts != request.message_ts else None


def shortcut(body: Payload, recipes: Recipes) -> Request:
    """Read the message shortcut: the message it was used on is the text. Raises Malformed."""
    clicked = _part(body, "message")
    team, channel = _word(_part(body, "team"), "id"), _word(_part(body, "channel"), "id")
    ts = _word(clicked, "ts", 32)
    thread = _word(clicked, "thread_ts", 32) if clicked.get("thread_ts") else None
    return Request(
        source_key=f"trigger:{_word(body, 'trigger_id', 200)}",
        origin=Origin.SHORTCUT,
        team=team,
        requester=_word(_part(body, "user"), "id"),
        channel=channel,
        thread_ts=thread or ts,
        message_ts=ts,
        recipe=recipes.default.name,
        named=False,
        text=clicked["text"] if isinstance(clicked.get("text"), str) else "",
        files=_files(clicked.get("files")),
        response_url=_word(body, "response_url", 1000),
    )


def opening(body: Payload) -> Opening:
    """Read the global shortcut; raises Malformed."""
    return Opening(
        team=_word(_part(body, "team"), "id"),
        user=_word(_part(body, "user"), "id"),
        trigger=_word(body, "trigger_id", 200),
    )


def submission(body: Payload) -> Submission:
    """Read a form that was sent; raises Malformed."""
    view = _part(body, "view")
    try:
        origin = modal.Origin.parse(_word(view, "private_metadata", 3000))
    except ValueError:
        raise Malformed("view.private_metadata") from None
    return Submission(
        team=_word(_part(body, "team"), "id"),
        user=_word(_part(body, "user"), "id"),
        view=_word(view, "id"),
        origin=origin,
        filled=modal.filled(_part(_part(view, "state"), "values")),
    )


def press(body: Payload) -> Press:
    """Read a press of a button that carries an attempt; raises Malformed."""
    try:
        attempt = Attempt.parse(_word(_action(body), "value", 2000))
    except ValueError:
        raise Malformed("actions.value") from None
    return Press(
        team=_word(_part(body, "team"), "id"),
        user=_word(_part(body, "user"), "id"),
        attempt=attempt,
        response_url=None if home_of(body) else _word(body, "response_url", 1000),
    )


def rating(body: Payload) -> Rating:
    """Read a thumb; raises Malformed."""
    value, _, thumb = _word(_action(body), "value", 2000).rpartition(":")
    try:
        attempt = Attempt.parse(value)
    except ValueError:
        raise Malformed("actions.value") from None
    return Rating(
        team=_word(_part(body, "team"), "id"),
        user=_word(_part(body, "user"), "id"),
        attempt=attempt,
        good=thumb == "up",
        trigger=_word(body, "trigger_id", 200),
        response_url=_word(body, "response_url", 1000),
    )


def note(body: Payload) -> Note:
    """Read the form after a thumb down; raises Malformed."""
    view = _part(body, "view")
    return Note(
        team=_word(_part(body, "team"), "id"),
        user=_word(_part(body, "user"), "id"),
        job_id=_word(view, "private_metadata"),
        text=modal.written(_part(_part(view, "state"), "values"), note_view.NOTE),
    )


def again(body: Payload) -> Again:
    """Read the form that runs a request once more; raises Malformed."""
    view = _part(body, "view")
    return Again(
        team=_word(_part(body, "team"), "id"),
        user=_word(_part(body, "user"), "id"),
        view=_word(view, "id"),
        job_id=_word(view, "private_metadata"),
        filled=modal.filled(_part(_part(view, "state"), "values")),
    )


def choice(body: Payload) -> Choice:
    """Read a choice; raises Malformed."""
    action = _action(body)
    option = action.get("selected_option")
    return Choice(
        team=_word(_part(body, "team"), "id"),
        user=_word(_part(body, "user"), "id"),
        action=_word(action, "action_id", 255),
        value=_word(option if isinstance(option, Mapping) else action, "value", 150),
    )


def home_of(body: Payload) -> tuple[str, str] | None:
    """The (team, user) whose App Home a press came from; None: it came from elsewhere. Raises Malformed."""
    view = body.get("view")
    if not isinstance(view, Mapping) or view.get("type") != "home":
        return None
    return _word(_part(body, "team"), "id"), _word(_part(body, "user"), "id")


def held_back(body: Payload) -> str | None:
    """The workspace whose events Slack holds back; None: this is something else. Raises Malformed.

    https://docs.slack.dev/reference/events/app_rate_limited
    """
    return _word(body, "team_id") if body.get("type") == "app_rate_limited" else None


def visitor(body: Payload) -> tuple[str, str] | None:
    """The (team, user) who opened the App Home's first tab; None: another tab. Raises Malformed."""
    event = _part(body, "event")
    return (_word(body, "team_id"), _word(event, "user")) if event.get("tab", "home") == "home" else None


def _message_key(team: str, channel: str, ts: str) -> str:
    return f"message:{team}:{channel}:{ts}"


def _follows_up(asked: Asked) -> bool:
    """A line in a thread that names no recipe speaks of the thread; a longer text speaks for itself."""
    brief = "\n" not in asked.text and len(asked.text) <= LONGEST_FOLLOW_UP
    return brief and bool(asked.text) and not asked.named and asked.unknown is None


def _is_courtesy(text: str) -> bool:
    """Whether a message has no word that asks for anything, as one of emojis alone."""
    return all(word in _COURTESIES for word in re.findall(r"\w+", _EMOJI.sub("", text.lower())))


def _brings_no_text(asked: Asked) -> bool:
    """Only a recipe's name, or only a question about what was said, or names to go by."""
    if asked.recipe.takes_names:
        return not split_request(asked.recipe, asked.text)[1]
    return not asked.text or (asked.recipe.needs_question and "\n" not in asked.text)


def _files(files: object) -> list[dict[str, str]]:
    """The ids and names of what is attached; where it lies is asked when it is fetched."""
    named = [
        (file.get("id"), file.get("name") or file.get("title"))
        for file in (files if isinstance(files, list) else [])
        if isinstance(file, Mapping) and file.get("mode") != "tombstone"
    ]
    return [
        {"id": file_id, "name": storable(name)[:255] if isinstance(name, str) else ""}
        for file_id, name in named[:MOST_FILES]
        if isinstance(file_id, str) and _FILE_ID.fullmatch(file_id)
    ]


def _without_us(text: str, body: Payload) -> str:
    """The text without the mention that called us; other people's names stay."""
    authorizations = body.get("authorizations")
    us = authorizations[0] if isinstance(authorizations, list) and authorizations else None
    user = us.get("user_id") if isinstance(us, Mapping) else None
    if isinstance(user, str) and re.fullmatch(r"[UW][A-Z0-9]+", user):
        return re.sub(rf"\s*<@{user}(?:\|[^>]*)?>[\s:,]*", " ", text).strip()
    return _MENTION_FIRST.sub("", text).strip()


def _action(body: Payload) -> Payload:
    actions = body.get("actions")
    if not isinstance(actions, list) or not actions or not isinstance(actions[0], Mapping):
        raise Malformed("actions")
    return actions[0]


def _part(body: Payload, key: str) -> Payload:
    part = body.get(key)
    if not isinstance(part, Mapping):
        raise Malformed(key)
    return part


def _word(body: Payload, key: str, longest: int = 64) -> str:
    """A string that fits its column and is not empty; without NUL or halves of characters, which no column takes."""
    word = body.get(key)
    if not isinstance(word, str) or not word or len(word) > longest or not word.isprintable():
        raise Malformed(key)
    return word
