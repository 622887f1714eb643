"""Small checks that the rules for blocks, elements and views are made of. Each adds a complaint and goes on."""

from typing import Any

MOST_COMPLAINTS = 20


class Complaints:
    """What is wrong with a payload and where, in the form of Slack's `response_metadata.messages`."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, at: str, what: str) -> None:
        """Note one complaint at a JSON pointer."""
        if len(self.lines) < MOST_COMPLAINTS:
            self.lines.append(f"{what} [json-pointer:{at}]")


def required(to: Complaints, at: str, item: dict[str, Any], name: str) -> bool:
    """Whether the field is there; a complaint when it is not."""
    if item.get(name) is None:
        to.add(f"{at}/{name}", f"missing required field: {name}")
        return False
    return True


def words(
    to: Complaints, at: str, item: dict[str, Any], name: str, most: int, least: int = 1, needed: bool = False
) -> None:
    """A field that holds text of a certain length."""
    if item.get(name) is None:
        if needed:
            to.add(f"{at}/{name}", f"missing required field: {name}")
        return
    value = item[name]
    if not isinstance(value, str):
        to.add(f"{at}/{name}", "must be a string")
    elif len(value) > most:
        to.add(f"{at}/{name}", f"must be less than {most + 1} characters")
    elif len(value) < least:
        to.add(f"{at}/{name}", f"must be more than {least - 1} characters")


def items(to: Complaints, at: str, item: dict[str, Any], name: str, most: int, least: int = 1) -> list[Any]:
    """A field that holds a list of a certain length; an empty list when it does not."""
    value = item.get(name)
    if not isinstance(value, list):
        to.add(f"{at}/{name}", f"missing required field: {name}")
    elif len(value) > most:
        to.add(f"{at}/{name}", f"no more than {most} items allowed")
    elif len(value) < least:
        to.add(f"{at}/{name}", f"no fewer than {least} items allowed")
    else:
        return value
    return []


def choice(
    to: Complaints, at: str, item: dict[str, Any], name: str, allowed: set[str], needed: bool = False
) -> None:
    """A field that holds one of a few words."""
    value = item.get(name)
    if value is None and not needed:
        return
    if not isinstance(value, str) or value not in allowed:
        to.add(f"{at}/{name}", f"must be one of {', '.join(sorted(allowed))}")


def text_object(to: Complaints, at: str, value: object, most: int, plain: bool = False) -> None:
    """A text object: https://docs.slack.dev/reference/block-kit/composition-objects/text-object"""
    if not isinstance(value, dict):
        to.add(at, "must be a text object")
        return
    choice(to, at, value, "type", {"plain_text"} if plain else {"plain_text", "mrkdwn"}, needed=True)
    words(to, at, value, "text", most=most, needed=True)
    if "emoji" in value and value.get("type") == "mrkdwn":
        to.add(f"{at}/emoji", "additional property `emoji` not allowed")
