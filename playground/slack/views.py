"""Modals and App Homes: which are open, and the rules their payloads keep.

Sources: https://docs.slack.dev/reference/views (lengths), https://docs.slack.dev/surfaces/modals (at most three
modals on top of each other, hashes against races).
"""

import secrets
import time
from typing import Any

from playground.slack import blocks
from playground.slack.checks import Complaints, choice, required, text_object, words
from playground.slack.errors import SlackError
from playground.slack.state import APP, BOT, TEAM

DEEPEST = 3
# Slack: a view may be 250 KB.
LARGEST = 250_000

View = dict[str, Any]


def checked(view: object, home: bool = False) -> View:
    """The view with ids filled in, or SlackError saying what is wrong."""
    if not isinstance(view, dict):
        raise SlackError("invalid_arguments", ["`view` must be an object [json-pointer:/view]"])
    complaints = Complaints()
    choice(complaints, "/view", view, "type", {"home"} if home else {"modal"}, needed=True)
    if not home and required(complaints, "/view", view, "title"):
        text_object(complaints, "/view/title", view["title"], 24, plain=True)
    for name in ("submit", "close"):
        if view.get(name) is not None:
            text_object(complaints, f"/view/{name}", view[name], 24, plain=True)
    words(complaints, "/view", view, "private_metadata", most=3000, least=0)
    words(complaints, "/view", view, "callback_id", most=255, least=0)
    words(complaints, "/view", view, "external_id", most=255, least=0)
    required(complaints, "/view", view, "blocks")
    if complaints.lines:
        raise SlackError("invalid_arguments", complaints.lines)
    named = blocks.checked(view["blocks"], view=True)
    if not home and view.get("submit") is None and any(block["type"] == "input" for block in named):
        raise SlackError(
            "invalid_arguments", ["a view with input blocks needs `submit` [json-pointer:/view/submit]"]
        )
    if blocks.length(named) > LARGEST:
        raise SlackError("view_too_large")
    return {**view, "blocks": named}


class Views:
    """Each person's stack of modals, each person's home, and every view by its id."""

    def __init__(self) -> None:
        self._stacks: dict[str, list[View]] = {}
        self._owners: dict[str, str] = {}
        self.homes: dict[str, View] = {}

    def find(self, view_id: str) -> View | None:
        """An open view or a home."""
        owner = self._owners.get(view_id)
        if owner is None:
            return None
        candidates = [*self._stacks.get(owner, []), self.homes.get(owner)]
        return next((view for view in candidates if view and view["id"] == view_id), None)

    def named(self, external_id: str) -> View | None:
        """An open view by the app's own name for it."""
        for stack in self._stacks.values():
            for view in stack:
                if view.get("external_id") == external_id:
                    return view
        return None

    def owner(self, view_id: str) -> str:
        """The person who has this view open."""
        return self._owners[view_id]

    def top(self, user: str) -> View | None:
        """The modal a person sees."""
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def stack(self, user: str) -> list[View]:
        """A person's modals, the one on top last."""
        return list(self._stacks.get(user, []))

    def open(self, user: str, view: View) -> View:
        """Open a modal in place of whatever was open."""
        self._forget(user)
        opened = self._new(user, view)
        opened["root_view_id"] = opened["id"]
        self._stacks[user] = [opened]
        return opened

    def push(self, user: str, view: View) -> View:
        """Put a modal on top."""
        stack = self._stacks.setdefault(user, [])
        if len(stack) >= DEEPEST:
            raise SlackError("push_limit_reached")
        pushed = self._new(user, view)
        pushed["previous_view_id"] = stack[-1]["id"] if stack else None
        pushed["root_view_id"] = stack[0]["id"] if stack else pushed["id"]
        stack.append(pushed)
        return pushed

    def update(self, old: View, view: View, expected: str | None = None) -> View:
        """Replace a view's content; with an old hash, `hash_conflict`."""
        if expected and expected != old["hash"]:
            raise SlackError("hash_conflict")
        kept = (
            "id",
            "previous_view_id",
            "root_view_id",
            "team_id",
            "app_id",
            "bot_id",
            "app_installed_team_id",
        )
        fresh = {**_filled(view), **{name: old[name] for name in kept}}
        # The object stays, because the stack holds it.
        old.clear()
        old.update(fresh)
        return old

    def publish(self, user: str, view: View, expected: str | None = None) -> View:
        """Show a person's App Home."""
        home = self.homes.get(user)
        if home is not None:
            return self.update(home, view, expected)
        home = self._new(user, view)
        home["root_view_id"] = home["id"]
        self.homes[user] = home
        return home

    def pop(self, user: str) -> View | None:
        """Close the modal on top."""
        stack = self._stacks.get(user)
        if not stack:
            return None
        closed = stack.pop()
        self._owners.pop(closed["id"], None)
        return closed

    def clear(self, user: str) -> None:
        """Close all modals of a person."""
        self._forget(user)

    def _forget(self, user: str) -> None:
        for view in self._stacks.pop(user, []):
            self._owners.pop(view["id"], None)

    def _new(self, user: str, view: View) -> View:
        made = {"id": "V" + secrets.token_hex(5).upper(), **_filled(view), "previous_view_id": None}
        self._owners[made["id"]] = user
        return made


def _filled(view: View) -> View:
    defaults = {"private_metadata": "", "callback_id": "", "external_id": "", "title": None, "submit": None}
    defaults |= {"close": None, "clear_on_close": False, "notify_on_close": False}
    known = {name: view.get(name) or default for name, default in defaults.items()}
    own = {"team_id": TEAM, "app_id": APP, "bot_id": BOT, "app_installed_team_id": TEAM, "root_view_id": None}
    stamp = f"{int(time.time())}.{secrets.token_hex(4)}"
    return {
        **known,
        **own,
        "type": view["type"],
        "blocks": view["blocks"],
        "state": {"values": {}},
        "hash": stamp,
    }
