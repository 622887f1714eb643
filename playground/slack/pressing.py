"""What people do with buttons and forms: press, submit, close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playground.slack import forms, payloads, views
from playground.slack.blocks import Block, actions_in
from playground.slack.errors import Refused, SlackError
from playground.slack.people import inside, person
from playground.slack.state import Channel, Message

if TYPE_CHECKING:
    from playground.slack.stand_in import Slack


async def press(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Press a button or choose something, in a message or in a view."""
    user = person(slack, body.get("user"))
    given = body.get("values") if isinstance(body.get("values"), dict) else {}
    at = slack.workspace.timestamp()
    if body.get("view_id"):
        view = _view(slack, user, body["view_id"])
        block, element = _element(view["blocks"], body)
        _choose(given, element, body)
        view["state"] = {"values": forms.state_values(view["blocks"], given)}
        action = forms.action(block, element, body.get("value"), at)
        payload = payloads.view_action(slack, user, dict(view), action)
    else:
        channel = inside(slack, user, body.get("channel"))
        message = _message(slack, user, channel, body.get("ts"))
        block, element = _element(message.get("blocks") or [], body)
        _choose(given, element, body)
        values = forms.state_values(message.get("blocks") or [], given)
        action = forms.action(block, element, body.get("value"), at)
        payload = payloads.message_action(slack, user, channel, message, values, action)
    answer = await slack.delivery.interaction(payload)
    return {
        "status": answer.status,
        "ack": answer.body,
        "error": answer.error,
        "trigger_id": payload["trigger_id"],
    }


async def submit(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Press a modal's submit button. Empty required fields are refused with 422, as Slack's client does."""
    user = person(slack, body.get("user"))
    view = _view(slack, user, body.get("view_id"))
    if view is not slack.views.top(user):
        raise Refused("not_on_top", "Only the modal on top can be submitted.", 409)
    given = body.get("values") if isinstance(body.get("values"), dict) else {}
    values = forms.state_values(view["blocks"], given)
    empty = forms.missing(view["blocks"], values)
    if empty:
        raise Refused("required", "Please complete the required fields.", 422, errors=empty)
    _hand_over(slack, user, values)
    view["state"] = {"values": values}
    answer = await slack.delivery.interaction(payloads.view_submission(slack, user, dict(view)))
    error = answer.error
    if answer.ok:
        error = _respond(slack, user, view, answer.body if isinstance(answer.body, dict) else {})
    return {"status": answer.status, "ack": answer.body, "error": error}


async def close(slack: Slack, body: dict[str, Any]) -> dict[str, Any]:
    """Close a modal by hand."""
    user = person(slack, body.get("user"))
    view = _view(slack, user, body.get("view_id"))
    if view["type"] == "home":
        raise Refused("not_a_modal", "An App Home cannot be closed.")
    clear = bool(body.get("clear")) or bool(view["clear_on_close"])
    closed = slack.views.stack(user) if clear else [view]
    if clear:
        slack.views.clear(user)
    else:
        slack.views.pop(user)
    slack.bus.publish("view", {"user": user, "view": dict(view), "kind": "close"})
    for item in closed:
        if item["notify_on_close"]:
            await slack.delivery.interaction(payloads.view_closed(slack, user, dict(item), clear))
    return {"ok": True}


def _respond(slack: Slack, user: str, view: views.View, ack: dict[str, Any]) -> str | None:
    """Do what the acknowledgement of a submission asks for. Returns an error where Slack would show one."""
    action = ack.get("response_action")
    if slack.views.find(view["id"]) is not view:
        # The app closed or replaced the modal by views.* in the meantime.
        return None
    try:
        if action == "errors":
            return None
        if action == "update":
            view = slack.views.update(view, views.checked(ack.get("view")))
        elif action == "push":
            view = slack.views.push(user, views.checked(ack.get("view")))
        elif action == "clear":
            slack.views.clear(user)
        else:
            slack.views.pop(user)
    except SlackError as error:
        return error.code
    kind = action if action in ("update", "push") else "close"
    slack.bus.publish("view", {"user": user, "view": dict(view), "kind": kind})
    return None


def _hand_over(slack: Slack, user: str, values: dict[str, dict[str, Any]]) -> None:
    """Name the files in a form as Slack describes them, and let the app read them."""
    for state in (state for states in values.values() for state in states.values()):
        if state["type"] == "file_input":
            ids = [each.get("id") if isinstance(each, dict) else each for each in state.get("files") or []]
            found = [slack.workspace.files.get(str(file_id)) for file_id in ids]
            state["files"] = [dict(file) for file in found if file is not None and file["user"] == user]
            slack.workspace.handed.update(file["id"] for file in state["files"])


def _view(slack: Slack, user: str, view_id: object) -> views.View:
    view = slack.views.find(view_id) if isinstance(view_id, str) else None
    if view is None or slack.views.owner(view["id"]) != user:
        raise Refused("view_not_found", "This person has no such view open.", 404)
    return view


def _message(slack: Slack, user: str, channel: Channel, ts: object) -> Message:
    whispered = slack.workspace.ephemerals.get(user, [])
    found = channel.messages.get(ts) if isinstance(ts, str) else None
    found = found or next(
        (item for item in whispered if item["ts"] == ts and item["channel"] == channel.id), None
    )
    if found is None:
        raise Refused("message_not_found", "There is no message with this `ts`.", 404)
    return found


def _element(blocks: list[Block], body: dict[str, Any]) -> tuple[Block, dict[str, Any]]:
    block_id = body.get("block_id")
    for block, element in actions_in(blocks):
        if element["action_id"] == body.get("action_id") and block_id in (None, block["block_id"]):
            return block, element
    raise Refused("action_not_found", "There is nothing with this `action_id`.", 404)


def _choose(given: dict[str, Any], element: dict[str, Any], body: dict[str, Any]) -> None:
    if body.get("value") is not None:
        given.setdefault(element["action_id"], body["value"])
