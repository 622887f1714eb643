"""What can go wrong in a call, in Slack's words and in the control calls' words."""

from collections.abc import Sequence
from typing import Any


class SlackError(Exception):
    """A Web API call that Slack answers with `{"ok": false, "error": code}`.

    `messages` become `response_metadata.messages`, where Slack says which part of a payload it refused.
    """

    def __init__(self, code: str, messages: Sequence[str] = (), **fields: Any) -> None:
        super().__init__(code)
        self.code = code
        self.messages = list(messages)
        self.fields = fields

    def body(self) -> dict[str, Any]:
        """The answer as Slack writes it."""
        answer: dict[str, Any] = {"ok": False, "error": self.code, **self.fields}
        if self.messages:
            answer["errors"] = self.messages
            answer["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in self.messages]}
        return answer


class Refused(Exception):
    """A control call that cannot be done: a status from 400 to 499, an error word and a sentence."""

    def __init__(self, error: str, detail: str, status: int = 400, **fields: Any) -> None:
        super().__init__(detail)
        self.error = error
        self.detail = detail
        self.status = status
        self.fields = fields
