"""An owner's words as an order: one grammar for Slack and for the terminal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# As Slack writes people and channels in a command (`should_escape` in the manifest), or their ids alone. A service
# of the HTTP API is `api:` with its token's name.
_PERSON = (
    r"(?:<@(?P<user>[UW][A-Z0-9]+)(?:\|[^>]*)?>|(?P<user_id>[UW][A-Z0-9]{2,})|api:(?P<service>[^\s,:]{1,50}))"
)
_CHANNEL = r"(?:<\#(?P<channel>[CGD][A-Z0-9]+)(?:\|[^>]*)?>|(?P<channel_id>[CGD][A-Z0-9]{2,}))"
_GROUP = r"(?:<!subteam\^(?P<group>S[A-Z0-9]+)(?:\|[^>]*)?>|(?P<group_id>S[A-Z0-9]{2,}))"
_BACKEND = r"(?P<backend>[a-z][a-z0-9-]{0,31})"

_GRAMMAR: Mapping[str, re.Pattern[str]] = {
    verb: re.compile(pattern, re.DOTALL)
    for verb, pattern in {
        "pause": rf"{_BACKEND}(?:\s+(?P<says>.{{1,300}}))?",
        "resume": _BACKEND,
        "drain": r"(?P<off>off)|(?P<says>.{1,300})?",
        "requeue": r"`?(?P<job>[0-9a-z]{12})`?",
        "ban": _PERSON,
        "unban": _PERSON,
        "allow": rf"(?P<whom>everyone|guests)|{_PERSON}|{_CHANNEL}|{_GROUP}|(?P<workspace>T[A-Z0-9]{{2,}})",
        "disallow": rf"(?P<whom>guests)|{_PERSON}|{_CHANNEL}|{_GROUP}|(?P<workspace>T[A-Z0-9]{{2,}})",
        "admins": rf"(?P<how>add|remove)\s+{_PERSON}",
        "quota": rf"(?:(?P<whom>everyone)|{_PERSON}|{_CHANNEL})\s+(?P<of>requests|tokens)\s+(?P<most>none|\d{{1,9}})",
        "priority": rf"(?:{_PERSON}|{_CHANNEL})\s+(?P<priority>none|[012])",
        "recipe": (
            rf"(?P<how>on|off)\s+(?P<recipe>[\w-]+)(?:\s+{_CHANNEL})?"
            # A terminal names a file where Slack shows a form.
            r"|(?P<change>new|edit|delete)(?:\s+(?P<own>\S+(?:.*\.toml)?))?(?:\s+(?P<workspace>T[A-Z0-9]{2,}))?"
            r"|(?P<all>list)"
        ),
        "redaction": r"(?P<how>on|off|none)(?:\s+(?P<workspace>T[A-Z0-9]{2,}))?",
        "streaming": r"(?P<how>on|off|none)(?:\s+(?P<workspace>T[A-Z0-9]{2,}))?",
        "replies": rf"(?P<how>on|off)(?:\s+(?:(?P<whom>everyone)|{_CHANNEL}))?",
        "rules": "",
        "stats": r"(?P<of>tokens|waits)?",
        "audit": r"(?P<most>\d{1,2})?",
    }.items()
}

VERBS = tuple(_GRAMMAR)

# These only look.
LOOKS = frozenset({"rules", "stats", "audit"})


class Unclear(Exception):
    """Not an order; `verb` is the one that it begins with, if that is one."""

    def __init__(self, verb: str | None) -> None:
        super().__init__(verb)
        self.verb = verb


@dataclass(frozen=True)
class Order:
    """What an owner wants; `given` holds the words of the grammar that were there."""

    verb: str
    given: Mapping[str, str]
    words: str

    @property
    def person(self) -> str | None:
        """A Slack user id, or the name of an API token."""
        return self.given.get("user") or self.given.get("user_id") or self.given.get("service")

    @property
    def channel(self) -> str | None:
        """A Slack channel id."""
        return self.given.get("channel") or self.given.get("channel_id")

    @property
    def group(self) -> str | None:
        """The id of a user group of Slack's."""
        return self.given.get("group") or self.given.get("group_id")


def begins_with_verb(text: str) -> bool:
    """Whether a text looks like an order, right or wrong."""
    return text.split(maxsplit=1)[:1] in [[verb] for verb in VERBS]


def parse(text: str) -> Order:
    """The order in an owner's words; raises Unclear."""
    words = " ".join(text.split())
    verb, _, rest = words.partition(" ")
    grammar = _GRAMMAR.get(verb.lower())
    if grammar is None:
        raise Unclear(None)
    found = grammar.fullmatch(rest)
    if found is None:
        raise Unclear(verb.lower())
    given = {name: value for name, value in found.groupdict().items() if value is not None}
    return Order(verb.lower(), given, words)


def wants_form(text: str) -> Order | None:
    """The order in an owner's words, if Slack answers it with a form: a recipe to make, or one to change, by its name."""
    try:
        order = parse(text)
    except Unclear:
        return None
    change = order.given.get("change")
    return order if (change, "own" in order.given) in {("new", False), ("edit", True)} else None
