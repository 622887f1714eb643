"""manifest.json declares what the code listens for, and asks for the scopes that it needs and no more."""

import ast
import json
import pathlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slack_sdk import WebClient

from bot import listeners
from bot.app import create_app
from tasks import actions, recipes
from tasks.resources import Resources
from tasks.settings import Settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANIFEST: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text("utf-8"))
ADDRESS = "https://threadline.example.com/slack/events"

# What each call needs, from its page at docs.slack.dev/reference/methods. A new call needs a line here.
HISTORY = {"channels:history", "groups:history", "im:history", "mpim:history"}
READ = {"channels:read", "groups:read", "im:read", "mpim:read"}
SCOPES_OF_METHODS: dict[str, set[str]] = {
    "agents_sessions_setStatus": {"chat:write"},
    "apps_connections_open": set(),  # By the app-level token, which has scopes of its own.
    "auth_test": set(),
    "chat_appendStream": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write", "chat:write.public"},  # .public: where nobody has invited us.
    "chat_startStream": {"chat:write"},
    "chat_stopStream": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": HISTORY,
    "conversations_members": READ,  # Who may follow a link to a channel.
    "conversations_open": {"im:write"},
    "conversations_replies": HISTORY,
    "files_info": {"files:read"},
    "files_upload_v2": {"files:write"},
    "usergroups_users_list": {"usergroups:read"},  # Who is in a group that the owners let in.
    "users_info": {"users:read"},
    "views_open": set(),
    "views_publish": set(),
}

# What each subscription needs, from its page at docs.slack.dev/reference/events.
SCOPES_OF_EVENTS = {
    # Declaring an app as an agent adds the scope (docs.slack.dev/ai/agent-sessions).
    "agent_session_stopped": {"assistant:write"},
    "app_mention": {"app_mentions:read"},
    "app_home_opened": set(),
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message.mpim": {"mpim:history"},
}

# The Events API subscribes to messages by the kind of channel.
SUBSCRIPTIONS = {
    "app_mention": {"app_mention"},
    "message": {"message.channels", "message.groups", "message.im", "message.mpim"},
    "app_home_opened": {"app_home_opened"},
    "agent_session_stopped": {"agent_session_stopped"},
}


class Recorder:
    """In Bolt's place: what `register` asks to be told. Anything that this class lacks is an AttributeError."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def command(self, name: str) -> Callable[[Any], Any]:
        return self._hear("command", name)

    def event(self, constraints: str | dict[str, str], matchers: object = None) -> Callable[[Any], Any]:
        return self._hear("event", constraints if isinstance(constraints, str) else constraints["type"])

    def global_shortcut(self, name: str) -> Callable[[Any], Any]:
        return self._hear("global_shortcut", name)

    def view(self, name: str) -> Callable[[Any], Any]:
        return self._hear("view", name)

    def message_shortcut(self, name: str) -> Callable[[Any], Any]:
        return self._hear("message_shortcut", name)

    def action(self, name: str) -> Callable[[Any], Any]:
        return self._hear("action", name)

    def _hear(self, kind: str, name: str) -> Callable[[Any], Any]:
        self.heard.append((kind, name))
        return lambda listener: listener


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, str]]:
    """Every (kind, name) that the modules of bot/listeners register."""
    recorder = Recorder()
    for name in modules():
        module = __import__(f"bot.listeners.{name}", fromlist=["register"])
        module.register(recorder, Resources(Settings(_env_file=None)))
    return recorder.heard


def modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(listeners.__path__)]


def names(heard: list[tuple[str, str]], kind: str) -> list[str]:
    return sorted(name for each, name in heard if each == kind)


def methods() -> Iterator[tuple[str, str]]:
    """Every (method of Slack's Web API, file) that the product calls, by the SDK's own names."""
    known = {name for name in vars(WebClient) if not name.startswith("_")} - {"api_call"}
    for package in ("bot", "tasks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in known and "_" in node.attr:
                    yield node.attr, str(path.relative_to(ROOT))


def test_every_listener_is_registered(heard: list[tuple[str, str]]) -> None:
    """A file in bot/listeners that bot.app forgets would hear nothing."""
    app = create_app(Resources(Settings(_env_file=None)))

    assert len(app._listeners) == len(heard)


def test_commands(heard: list[tuple[str, str]]) -> None:
    """The one command, by its default name; with user names and links kept as ids for the text."""
    (command,) = MANIFEST["features"]["slash_commands"]

    assert [command["command"]] == names(heard, "command") == [Settings.model_fields["slack_command"].default]
    assert command["should_escape"] is True
    assert command["usage_hint"]


def test_shortcuts(heard: list[tuple[str, str]]) -> None:
    """The shortcuts, by the names that the listeners know."""
    declared = {
        (each["type"], each["callback_id"], each["name"]) for each in MANIFEST["features"]["shortcuts"]
    }

    assert declared == {
        ("global", actions.NEW_ANALYSIS, "Ask Threadline"),
        ("message", actions.ANALYZE_MESSAGE, "Analyze this message"),
    }
    assert names(heard, "message_shortcut") == [actions.ANALYZE_MESSAGE]
    assert names(heard, "global_shortcut") == [actions.NEW_ANALYSIS]


def test_events(heard: list[tuple[str, str]]) -> None:
    """What is subscribed to is heard, and the other way round."""
    subscribed = MANIFEST["settings"]["event_subscriptions"]["bot_events"]

    assert subscribed == sorted(set().union(*(SUBSCRIPTIONS[name] for name in names(heard, "event"))))


def test_actions(heard: list[tuple[str, str]]) -> None:
    """Every button that carries a name of ours is heard, and interactivity is on."""
    buttons = [value for name, value in vars(actions).items() if name.isupper()]

    assert names(heard, "action") == sorted(set(buttons) - {actions.ANALYZE_MESSAGE, actions.NEW_ANALYSIS})
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True


def test_scopes() -> None:
    """Those of the calls and events in the code, and of the command; each for a reason, none missing."""
    called = dict(methods())
    unknown = {f"{method} in {path}" for method, path in called.items() if method not in SCOPES_OF_METHODS}
    assert not unknown, "add the scopes of these calls to SCOPES_OF_METHODS"
    assert set(called) == set(SCOPES_OF_METHODS), "SCOPES_OF_METHODS names calls that nobody makes"

    events = MANIFEST["settings"]["event_subscriptions"]["bot_events"]
    needed = {"commands"}.union(
        *(SCOPES_OF_METHODS[method] for method in called), *(SCOPES_OF_EVENTS[event] for event in events)
    )
    assert MANIFEST["oauth_config"]["scopes"]["bot"] == sorted(needed)


def test_every_call_goes_by_a_name_of_the_sdk() -> None:
    """`api_call("chat.postMessage")` would hide a call from the test above."""
    sources = [
        path.read_text("utf-8") for package in ("bot", "tasks") for path in (ROOT / package).rglob("*.py")
    ]

    assert not any("api_call" in source for source in sources)


def test_it_is_a_bot_that_people_can_write_to() -> None:
    """With the name that the help speaks of, and its message tab open for writing."""
    features = MANIFEST["features"]

    assert features["bot_user"]["display_name"] == MANIFEST["display_information"]["name"] == "Threadline"
    assert features["app_home"]["home_tab_enabled"] is features["app_home"]["messages_tab_enabled"] is True
    assert features["app_home"]["messages_tab_read_only_enabled"] is False


def test_it_is_an_agent_whose_prompts_are_requests() -> None:
    """Slack's Stop button is for agents; what is suggested to people names a recipe, and brings a text."""
    agent = MANIFEST["features"]["agent_view"]

    assert agent["agent_description"] == MANIFEST["display_information"]["description"]
    words = [prompt["message"].split() for prompt in agent["suggested_prompts"]]
    assert words
    assert all(recipes.load().get(first) and len(text) > 20 for first, *text in words)


def test_it_is_valid_for_both_ways() -> None:
    """Socket Mode at first; turned off, only the address has to be replaced, the same one everywhere."""
    settings = MANIFEST["settings"]
    addresses = [
        settings["event_subscriptions"]["request_url"],
        settings["interactivity"]["request_url"],
        *(command["url"] for command in MANIFEST["features"]["slash_commands"]),
    ]

    assert settings["socket_mode_enabled"] is True
    assert set(addresses) == {ADDRESS}
    # Tokens that rotate would need a store (facts/slack.md 3.16); one workspace installs it for itself.
    assert settings["token_rotation_enabled"] is settings["org_deploy_enabled"] is False


def test_it_keeps_to_slack_s_lengths() -> None:
    """docs.slack.dev/reference/app-manifest."""
    display = MANIFEST["display_information"]

    assert len(display["name"]) <= 35
    assert len(display["description"]) <= 140
    assert 174 <= len(display["long_description"]) <= 4000
    assert all(
        len(each["description"]) <= 150 and len(each["name"]) <= 24
        for each in MANIFEST["features"]["shortcuts"]
    )
    assert all(len(each["command"]) <= 32 for each in MANIFEST["features"]["slash_commands"])
