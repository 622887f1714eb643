"""Block Kit's rules for interactive elements: https://docs.slack.dev/reference/block-kit/block-elements"""

from typing import Any

from playground.slack.checks import Complaints, choice, items, required, text_object, words

SELECTS = frozenset(
    f"{many}{what}_select"
    for many in ("", "multi_")
    for what in ("static", "external", "users", "conversations", "channels")
)
CHOICES = frozenset({"checkboxes", "radio_buttons", "overflow"})
PICKERS = frozenset({"datepicker", "timepicker", "datetimepicker"})
WRITING = frozenset(
    {
        "plain_text_input",
        "email_text_input",
        "url_text_input",
        "number_input",
        "rich_text_input",
        "file_input",
    }
)
ACTIONS = frozenset({"button", "workflow_button", "icon_button"}) | SELECTS | CHOICES | PICKERS | WRITING
ACCESSORIES = frozenset({"button", "image", "workflow_button"}) | SELECTS | CHOICES | PICKERS
INPUTS = (SELECTS | {"checkboxes", "radio_buttons"} | PICKERS | WRITING) - {"overflow"}

# Slack: how many options each kind may offer.
_MOST_OPTIONS = {"overflow": 5, "checkboxes": 10, "radio_buttons": 10}


def element(to: Complaints, at: str, item: object, allowed: frozenset[str] | set[str]) -> None:
    """Check one element; `allowed` says which kinds may stand in this place."""
    if not isinstance(item, dict):
        to.add(at, "must be an object")
        return
    kind = item.get("type")
    if not isinstance(kind, str) or kind not in allowed:
        to.add(f"{at}/type", f"unsupported type: {kind}"[:200])
        return
    words(to, at, item, "action_id", most=255)
    if "placeholder" in item:
        text_object(to, f"{at}/placeholder", item["placeholder"], 150, plain=True)
    if "confirm" in item:
        _confirm(to, f"{at}/confirm", item["confirm"])
    if kind == "button":
        _button(to, at, item)
    elif kind == "image":
        words(to, at, item, "alt_text", most=2000, needed=True)
    elif kind in CHOICES or kind.endswith("static_select"):
        _options(to, at, item, _MOST_OPTIONS.get(kind, 100))
    elif kind == "feedback_buttons":
        for name in ("positive_button", "negative_button"):
            if required(to, at, item, name):
                _feedback(to, f"{at}/{name}", item[name])
    elif kind == "file_input":
        _files(to, at, item)
    elif kind == "plain_text_input":
        words(to, at, item, "initial_value", most=3000, least=0)


def unique_actions(to: Complaints, at: str, block: dict[str, Any]) -> None:
    """Slack: an action_id stands once in its block."""
    listed = block.get("elements")
    if not isinstance(listed, list) or len(listed) < 2:
        return
    seen: set[str] = set()
    for number, item in enumerate(listed):
        action_id = item.get("action_id") if isinstance(item, dict) else None
        if isinstance(action_id, str):
            if action_id in seen:
                to.add(f"{at}/elements/{number}/action_id", f"`action_id` {action_id} already exists")
            seen.add(action_id)


def _button(to: Complaints, at: str, item: dict[str, Any]) -> None:
    if required(to, at, item, "text"):
        text_object(to, f"{at}/text", item["text"], 75, plain=True)
    words(to, at, item, "value", most=2000)
    words(to, at, item, "url", most=3000)
    words(to, at, item, "accessibility_label", most=75)
    choice(to, at, item, "style", {"primary", "danger"})


def _files(to: Complaints, at: str, item: dict[str, Any]) -> None:
    most = item.get("max_files", 10)
    if not isinstance(most, int) or not 1 <= most <= 10:
        to.add(f"{at}/max_files", "must be between 1 and 10")


def _feedback(to: Complaints, at: str, item: object) -> None:
    if not isinstance(item, dict):
        to.add(at, "must be an object")
        return
    if required(to, at, item, "text"):
        text_object(to, f"{at}/text", item["text"], 75, plain=True)
    words(to, at, item, "value", most=2000, needed=True)


def _confirm(to: Complaints, at: str, item: object) -> None:
    if not isinstance(item, dict):
        to.add(at, "must be an object")
        return
    for name, most, plain in (
        ("title", 100, True),
        ("text", 300, False),
        ("confirm", 30, True),
        ("deny", 30, True),
    ):
        if name in item:
            text_object(to, f"{at}/{name}", item[name], most, plain)


def _options(to: Complaints, at: str, item: dict[str, Any], most: int) -> None:
    if "option_groups" in item:
        for number, group in enumerate(items(to, at, item, "option_groups", most=100)):
            if isinstance(group, dict):
                _listed(to, f"{at}/option_groups/{number}", group, most)
            else:
                to.add(f"{at}/option_groups/{number}", "must be an object")
    else:
        _listed(to, at, item, most)


def _listed(to: Complaints, at: str, item: dict[str, Any], most: int) -> None:
    for number, option in enumerate(items(to, at, item, "options", most=most)):
        here = f"{at}/options/{number}"
        if not isinstance(option, dict):
            to.add(here, "must be an object")
            continue
        if required(to, here, option, "text"):
            text_object(to, f"{here}/text", option["text"], 75)
        # Slack: an option's value may be up to 150 characters.
        words(to, here, option, "value", most=150, needed=True)
        if "description" in option:
            text_object(to, f"{here}/description", option["description"], 75)
