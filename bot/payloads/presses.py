"""Presses of buttons, and choices."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.payloads import Payload, action, carried, who, word
from tasks.actions import Attempt


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
class Choice:
    """Somebody chose an option of ours, or pressed a button that carries a plain value."""

    team: str
    user: str
    action: str
    value: str


def press(body: Payload) -> Press:
    """Read a press of a button that carries an attempt; raises Malformed."""
    return Press(
        *who(body),
        attempt=carried(action(body), "value", 2000, Attempt.parse),
        response_url=None if home_of(body) else word(body, "response_url", 1000),
    )


def rating(body: Payload) -> Rating:
    """Read a thumb; raises Malformed."""
    attempt, good = carried(action(body), "value", 2000, _thumb)
    return Rating(
        *who(body),
        attempt=attempt,
        good=good,
        trigger=word(body, "trigger_id", 200),
        response_url=word(body, "response_url", 1000),
    )


def choice(body: Payload) -> Choice:
    """Read a choice; raises Malformed."""
    pressed = action(body)
    option = pressed.get("selected_option")
    return Choice(
        *who(body),
        action=word(pressed, "action_id", 255),
        value=word(option if isinstance(option, Mapping) else pressed, "value", 150),
    )


def home_of(body: Payload) -> tuple[str, str] | None:
    """The (team, user) whose App Home a press came from; None: it came from elsewhere. Raises Malformed."""
    view = body.get("view")
    if not isinstance(view, Mapping) or view.get("type") != "home":
        return None
    return who(body)


def _thumb(value: str) -> tuple[Attempt, bool]:
    attempt, _, thumb = value.rpartition(":")
    return Attempt.parse(attempt), thumb == "up"
