"""views.open, push, update, publish: https://docs.slack.dev/reference/methods/views.open"""

from typing import Any

from playground.slack import views
from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.methods import find
from playground.slack.stand_in import Slack


def open_modal(slack: Slack, call: Call) -> dict[str, Any]:
    """A modal for the person whose trigger this is."""
    view = views.checked(_view(call))
    user = slack.triggers.use(call.needed("trigger_id"))
    return _shown(slack, user, slack.views.open(user, view), "open")


def push(slack: Slack, call: Call) -> dict[str, Any]:
    """A modal on top of the open one."""
    view = views.checked(_view(call))
    user = slack.triggers.use(call.needed("trigger_id"))
    return _shown(slack, user, slack.views.push(user, view), "push")


def update(slack: Slack, call: Call) -> dict[str, Any]:
    """Other content for an open view, named by its id or by the app's own name for it."""
    view_id, external_id = call.text("view_id"), call.text("external_id")
    if (view_id is None) == (external_id is None):
        raise SlackError("invalid_arguments", ["exactly one of view_id and external_id is needed"])
    old = slack.views.find(view_id) if view_id else slack.views.named(external_id or "")
    if old is None:
        raise SlackError("not_found")
    view = views.checked(_view(call), home=old["type"] == "home")
    user = slack.views.owner(old["id"])
    return _shown(slack, user, slack.views.update(old, view, call.text("hash")), "update")


def publish(slack: Slack, call: Call) -> dict[str, Any]:
    """A person's App Home."""
    user = find.user(slack, call, "user_id").id
    view = slack.views.publish(user, views.checked(_view(call), home=True), call.text("hash"))
    slack.bus.publish("home", {"user": user, "view": dict(view)})
    return {"view": dict(view)}


def _view(call: Call) -> Any:
    view = call.value("view")
    if view is None:
        raise SlackError("invalid_arguments", ["missing required field: view"])
    return view


def _shown(slack: Slack, user: str, view: views.View, kind: str) -> dict[str, Any]:
    if view["type"] == "home":
        slack.bus.publish("home", {"user": user, "view": dict(view)})
    else:
        slack.bus.publish("view", {"user": user, "view": dict(view), "kind": kind})
    return {"view": dict(view)}
