"""What the app's manifest.json grants it; without one, everything.

Form: https://docs.slack.dev/reference/app-manifest
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.slack import scopes

DEFAULT_EVENTS = frozenset({"app_mention", "message.im", "app_home_opened"})
DEFAULT_COMMANDS = (
    {
        "command": "/analyze",
        "description": "Analyze a text",
        "usage_hint": "<recipe> <text>",
        "should_escape": False,
    },
)
DEFAULT_SHORTCUTS = ({"name": "Analyze this message", "type": "message", "callback_id": "analyze_message"},)


@dataclass(frozen=True)
class Manifest:
    """Commands, shortcuts, subscribed events and granted scopes."""

    commands: tuple[dict[str, Any], ...] = DEFAULT_COMMANDS
    shortcuts: tuple[dict[str, Any], ...] = DEFAULT_SHORTCUTS
    events: frozenset[str] = DEFAULT_EVENTS
    scopes: frozenset[str] = scopes.ALL

    @classmethod
    def read(cls, path: Path | None) -> "Manifest":
        """The manifest at `path`. A part it does not name keeps its default; no file means the defaults.

        Raises ValueError when the file is there and is no manifest.
        """
        if path is None or not path.is_file():
            return cls()
        try:
            manifest = json.loads(path.read_text("utf-8"))
            features = manifest.get("features", {})
            settings = manifest.get("settings", {})
            events = settings.get("event_subscriptions", {}).get("bot_events", [])
            granted = manifest.get("oauth_config", {}).get("scopes", {}).get("bot", [])
            return cls(
                commands=tuple(features.get("slash_commands") or DEFAULT_COMMANDS),
                shortcuts=tuple(features.get("shortcuts") or DEFAULT_SHORTCUTS),
                events=DEFAULT_EVENTS | frozenset(events),
                scopes=frozenset(granted) or scopes.ALL,
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a Slack app manifest: {error}") from error

    def command(self, name: str) -> dict[str, Any] | None:
        """The slash command of this name, if the app has it."""
        return next((command for command in self.commands if command.get("command") == name), None)

    def shortcut(self, callback_id: str) -> dict[str, Any] | None:
        """The shortcut with this callback id, if the app has it."""
        return next((item for item in self.shortcuts if item.get("callback_id") == callback_id), None)
