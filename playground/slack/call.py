"""One Web API call: its arguments, however they were sent, and typed ways to read them."""

import json
from typing import Any
from urllib.parse import parse_qsl

from playground.slack.errors import SlackError
from playground.slack.text import clean

_TRUE = ("1", "true", "yes", "on", "t", "y")


def arguments(query: bytes, content_type: str, body: bytes) -> dict[str, Any]:
    """Arguments from the address, a form, or a JSON body.

    https://docs.slack.dev/apis/web-api#methods: JSON and form bodies are both taken. A broken JSON body is
    `invalid_json`; one that is no object, `json_not_object`.
    """
    args: dict[str, Any] = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}
    if content_type.startswith("application/json") and body:
        try:
            values = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise SlackError("invalid_json") from error
        if not isinstance(values, dict):
            raise SlackError("json_not_object")
        args.update(values)
    elif body:
        try:
            args.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        except ValueError as error:
            raise SlackError("invalid_form_data") from error
    return args


class Call:
    """Reads arguments by type; a missing one that is needed is `invalid_arguments`."""

    def __init__(self, method: str, args: dict[str, Any]) -> None:
        self.method = method
        self.args = args

    def text(self, name: str) -> str | None:
        """A text, or None when it is absent or empty."""
        value = self.args.get(name)
        if value is None or value == "":
            return None
        return value if isinstance(value, str) and value.isascii() else clean(value)

    def needed(self, name: str) -> str:
        """A text that must be there."""
        value = self.text(name)
        if value is None:
            raise SlackError("invalid_arguments", [f"missing required field: {name}"])
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A truth value in any of the ways that clients write it."""
        value = self.args.get(name)
        return default if value is None else str(value).lower() in _TRUE

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`, or `invalid_limit`."""
        value = self.args.get(name)
        if value is None or value == "":
            return default
        try:
            number = int(str(value))
        except ValueError as error:
            raise SlackError("invalid_arguments", [f"`{name}` must be a number"]) from error
        if number == 0:
            return default
        if not 0 < number <= most:
            raise SlackError("invalid_limit")
        return number

    def value(self, name: str, error: str = "invalid_arguments") -> Any:
        """A list or object, sent as JSON or as text that holds JSON; None when it is absent."""
        value = self.args.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            try:
                return json.loads(value)
            except (ValueError, RecursionError) as problem:
                raise SlackError(error) from problem
        return value
