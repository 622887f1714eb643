"""Junk that grew from valid payloads, so that it comes further than noise would; and the listeners it must reach."""

import copy
import re
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from slack_bolt import App

from tests import front_door_rig as rig

Payload = dict[str, Any]

# Stands wherever a person's words could; must never be in a log.
WORDS = "Mirabilis-words-of-a-person"

JSON, FORM = "application/json", "application/x-www-form-urlencoded"

# Unpaired surrogates, NULs and direction marks among all other characters.
TEXTS = st.text(st.characters(codec=None), max_size=40)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXTS
    | st.sampled_from(
        ["", "C1", "T1", "U0BOT", "<@U0BOT>", "im", "event_callback", "block_actions", "message_action"]
    )
    | st.sampled_from(
        ["\x00", "\ud800", "a" * 5000, "9" * 400, "../../etc", "' OR 1=1 --", "{{7*7}}", "%s%n"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(payload: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a payload, by the keys that lead there."""
    inner = (
        payload.items()
        if isinstance(payload, dict)
        else enumerate(payload if isinstance(payload, list) else ())
    )
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, valid: Sequence[Any]) -> Any:
    """A valid payload with one to three of its places replaced, nested deeper, or taken out."""
    payload: Any = copy.deepcopy(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(1, 3))):
        known = places(payload)[1:]
        if not known:
            return payload
        *path, last = draw(st.sampled_from(known))
        inner = payload
        for key in path:
            inner = inner[key]
        match draw(st.sampled_from(["replace", "remove", "nest"])):
            case "replace":
                inner[last] = draw(VALUES)
            case "nest":
                inner[last] = draw(st.sampled_from([[inner[last]], {str(last): inner[last]}]))
            case _:
                del inner[last]
    return payload


def view(kind: str, callback_id: str, text: str = WORDS) -> Payload:
    """A modal that was submitted or closed."""
    field = {"b1": {"a1": {"type": "plain_text_input", "value": text}}}
    shown: Payload = {"id": "V1", "type": "modal", "callback_id": callback_id, "private_metadata": ""}
    shown |= {
        "hash": "1.abc",
        "state": {"values": field},
        "blocks": [],
        "team_id": "T1",
        "root_view_id": "V1",
    }
    return {
        "type": kind,
        "team": {"id": "T1", "domain": "rig"},
        "user": {"id": "U1", "name": "someone", "team_id": "T1"},
        "api_app_id": "A1",
        "token": "unused",
        "trigger_id": f"{next(rig._numbers)}.1.abc",
        "view": shown,
        "response_urls": [],
        "is_cleared": False,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def suggestion(action_id: str) -> Payload:
    """Somebody types into a menu whose options the app gives."""
    press = rig.press("x")
    asked = {name: press[name] for name in ("user", "team", "channel", "container", "api_app_id", "token")}
    return {**asked, "type": "block_suggestion", "action_id": action_id, "block_id": "b1", "value": WORDS}


def global_shortcut(callback_id: str) -> Payload:
    """A shortcut from the lightning menu."""
    sent = rig.shortcut()
    kept = ("token", "action_ts", "team", "user", "trigger_id", "is_enterprise_install", "enterprise")
    return {**{name: sent[name] for name in kept}, "type": "shortcut", "callback_id": callback_id}


def event(kind: str) -> Payload:
    """An event of any type, with the fields that most of them have."""
    if kind == "message":
        return rig.direct(WORDS)
    sent = rig.mention(WORDS, type=kind, tab="home", item={"type": "message", "channel": "C1", "ts": "1.0"})
    sent["event"] |= {"tokens": {"bot": ["U0BOT"]}, "view": None, "reaction": "x", "files": [{"id": "F1"}]}
    return sent


def command(name: str) -> Payload:
    return rig.command(WORDS, command=name)


# Bolt's matchers, by the name of the function that made them, and the valid payload that each lets through.
KINDS: dict[str, Callable[[str], Payload]] = {
    "event": event,
    "command": command,
    "action": lambda name: rig.press("0" * 12 + ":1", action=name),
    "block_action": lambda name: rig.press("0" * 12 + ":1", action=name),
    "message_shortcut": lambda name: rig.shortcut(WORDS, callback_id=name),
    "global_shortcut": global_shortcut,
    "shortcut": global_shortcut,
    "view": lambda name: view("view_submission", name),
    "view_submission": lambda name: view("view_submission", name),
    "view_closed": lambda name: view("view_closed", name),
    "options": suggestion,
    "block_suggestion": suggestion,
}


def listeners(app: App) -> list[tuple[str, str]]:
    """Everything that is listened for: Bolt's kind of matcher, and the name it wants.

    Bolt tells neither; both stand in the closures of its matchers.
    """
    return [_wanted(listener.matchers[0].func) for listener in app._listeners]


def _wanted(matcher: Any) -> tuple[str, str]:
    kind = matcher.__qualname__.partition(".")[0]
    held = [cell.cell_contents for cell in matcher.__closure__ or ()]
    for value in held:
        if isinstance(value, dict):
            return kind, str(value.get("type") or value.get("action_id") or value.get("callback_id"))
        if isinstance(value, str | re.Pattern):
            return kind, value if isinstance(value, str) else value.pattern
    raise AssertionError(f"no name in a matcher of the kind {kind}: teach tests/fuzz.py how to read it")


def valid(app: App) -> list[Payload]:
    """A valid payload for each listener, whatever was added since this was written."""
    return [KINDS[kind](name) for kind, name in listeners(app)]


def to_form(payload: Payload) -> bool:
    """Whether Slack sends such a payload in a form's field."""
    return payload.get("type") != "event_callback" and "command" not in payload
