"""What people filled in: from plain values to the `state.values` that Slack sends.

Form: https://docs.slack.dev/reference/block-kit/block-elements (each element's "payload" part).
"""

from typing import Any

from playground.slack.blocks import Block, actions_in

# How each kind of element names its value, and the field its first value comes from.
_FIELDS = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "file_input": ("files", "initial_files"),
}
_MANY = ("selected_options", "selected_users", "selected_conversations", "selected_channels", "files")


def state_values(blocks: list[Block], given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`state.values` of all elements that hold a value.

    `given` is `{block_id: {action_id: value}}` or `{action_id: value}`; a value is text, an option's value, a list
    of them, or a whole state object with its `type`.
    """
    values: dict[str, dict[str, Any]] = {}
    for block, element in actions_in(blocks):
        if element.get("type") not in _FIELDS:
            continue
        block_id, action_id = block["block_id"], element["action_id"]
        in_block = given.get(block_id)
        value = in_block.get(action_id) if isinstance(in_block, dict) else given.get(action_id)
        values.setdefault(block_id, {})[action_id] = element_state(element, value)
    return values


def element_state(element: dict[str, Any], value: Any) -> dict[str, Any]:
    """One element's state; a value of None means what it showed at first."""
    kind = element["type"]
    name, initial = _FIELDS[kind]
    if isinstance(value, dict) and value.get("type") == kind:
        return value
    if value is None:
        value = element.get(initial, [] if name in _MANY else None)
    elif name == "selected_option":
        value = _option(element, value)
    elif name == "selected_options":
        wanted = value if isinstance(value, list) else [value]
        value = [option for option in (_option(element, item) for item in wanted) if option]
    elif name in _MANY and not isinstance(value, list):
        value = [value]
    # Slack sends null for an empty text field, not an empty text.
    return {"type": kind, name: None if value == "" else value}


def missing(blocks: list[Block], values: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The input blocks a person must still fill in, with Slack's own words; Slack's client does not send before."""
    empty = {}
    for block in blocks:
        if block.get("type") != "input" or block.get("optional"):
            continue
        states = values.get(block["block_id"], {}).values()
        if not any(value for state in states for name, value in state.items() if name != "type"):
            empty[block["block_id"]] = "Please complete this required field."
    return empty


def action(block: Block, element: dict[str, Any], value: Any, at: str) -> dict[str, Any]:
    """One entry of a block_actions payload's `actions`."""
    kind = element.get("type", "button")
    done: dict[str, Any] = {"type": kind, "action_id": element["action_id"], "block_id": block["block_id"]}
    done["action_ts"] = at
    if kind in _FIELDS:
        return done | element_state(element, value)
    if kind == "overflow":
        return done | {"selected_option": _option(element, value)}
    if kind == "feedback_buttons":
        buttons = [element.get("positive_button", {}), element.get("negative_button", {})]
        chosen = next((button for button in buttons if button.get("value") == value), buttons[0])
        return done | {"text": chosen.get("text"), "value": chosen.get("value")}
    if "text" in element:
        done["text"] = element["text"]
    if value is not None or "value" in element:
        done["value"] = element.get("value") if value is None else value
    return done


def _option(element: dict[str, Any], value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    groups = element.get("option_groups") or [{"options": element.get("options") or []}]
    options = [option for group in groups for option in group["options"]]
    return next((option for option in options if option.get("value") == value), None)
