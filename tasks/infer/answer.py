"""Gathers an answer from the chunks of a chat completion, streamed or whole."""

import json
from dataclasses import dataclass, field
from typing import Any

from tasks.infer import refusal

LARGEST = 2 * 1024 * 1024  # characters of an answer; a model that writes more goes round in circles


class Malformed(Exception):
    """A chunk is not what the protocol says; the text is safe to log."""


class Complained(Exception):
    """A chunk is an error."""

    def __init__(self, complaint: refusal.Complaint) -> None:
        super().__init__(complaint.status)
        self.complaint = complaint


@dataclass
class Answer:
    """What the model wrote. `tokens_in` and `tokens_out` are the server's usage, None when it told none."""

    text: str
    finish_reason: str | None
    tokens_in: int | None
    tokens_out: int | None
    truncated: bool
    model: str


@dataclass
class Gathering:
    """The answer so far."""

    model: str
    parts: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    done: bool = False
    started: bool = False  # a first token came, be it of the model's reasoning
    size: int = 0
    estimate: float = 0.0

    @property
    def text(self) -> str:
        """What the model wrote so far."""
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    @property
    def complete(self) -> bool:
        """Whether the model came to an end; usage and `[DONE]` may still follow."""
        return self.done or self.finish_reason is not None

    def event(self, data: str, *, error: bool) -> None:
        """Take in one event of the stream; raises Malformed or Complained."""
        if data.strip() == "[DONE]":
            if self.finish_reason is None and not self.started:
                raise Malformed("the stream ended without any answer")
            self.done = True
            return
        self.chunk(_object(data), error=error)

    def chunk(self, content: dict[str, Any], *, error: bool = False) -> None:
        """Take in one chunk, or a whole answer; raises Malformed or Complained."""
        if error or refusal.is_complaint(content):
            raise Complained(refusal.from_json(content))
        self._usage(content.get("usage"))
        if isinstance(content.get("model"), str) and content["model"]:
            self.model = content["model"]
        choices = content.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                self._choice(choice)

    def answer(self) -> Answer:
        """The answer at its end, cut at LARGEST."""
        reason = "length" if self.size > LARGEST else self.finish_reason
        return Answer(
            self.text[:LARGEST], reason, self.tokens_in, self.tokens_out, reason == "length", self.model
        )

    def _choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            raise Malformed("a choice without a delta")
        text = _text(delta.get("content"))
        # Reasoning is not part of the answer, but it shows that the model is at work.
        thought = _text(delta.get("reasoning_content") or delta.get("reasoning"))
        if text or thought:
            self.started = True
            self.estimate += max(1.0, estimate(text) + estimate(thought))
        if text:
            self.parts.append(text)
            self.size += len(text)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            if reason in {"abort", "error"}:  # SGLang and TGI, when the generation failed
                raise Malformed(f"the server ended the answer with {reason!r}")
            self.finish_reason = reason

    def _usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.tokens_in = _count(usage.get("prompt_tokens"), self.tokens_in)
            self.tokens_out = _count(usage.get("completion_tokens"), self.tokens_out)


def estimate(text: str) -> float:
    """Tokens in a text, about: 4 characters of Latin script or 1.5 of others each."""
    latin = sum(char < "\u0250" for char in text) if not text.isascii() else len(text)
    return latin / 4 + (len(text) - latin) / 1.5


def whole(body: str, model: str) -> Gathering:
    """The answer in one piece of JSON, from a server that does not stream; raises Malformed or Complained."""
    gathering = Gathering(model)
    gathering.chunk(_object(body))
    if gathering.finish_reason is None and not gathering.started:
        raise Malformed("JSON without an answer")
    return gathering


def _object(data: str) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("a chunk that is not JSON") from None
    if isinstance(content, str):  # llama.cpp's older `error: "..."`
        return {"error": content}
    if not isinstance(content, dict):
        raise Malformed("a chunk that is not a JSON object")
    return content


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _count(value: Any, otherwise: int | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
