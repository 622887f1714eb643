"""Reads a chat request and says what is wrong with it, as the real servers do."""

import json
from dataclasses import dataclass
from typing import Any

from playground.model import pictures, prompt, refusals, tokens
from playground.model.shape import Shape

_LARGEST = 32 * 1024 * 1024  # bytes of a request body


class Refused(Exception):
    """The request gets this refusal and nothing else."""

    def __init__(self, kind: str, refusal: refusals.Refusal) -> None:
        super().__init__(kind)
        self.kind, self.refusal = kind, refusal


@dataclass(frozen=True)
class Asked:
    """A request that can be served."""

    model: str
    messages: list[dict[str, Any]]
    max_tokens: int
    stream: bool
    include_usage: bool
    response_format: dict[str, Any] | None
    tokens_in: int
    pictures: list[pictures.Picture]
    user: str  # OpenAI: a stable name of the person at the end; "" when not given


def read(body: bytes, shape: Shape) -> Asked:
    """The request in a body. Raises Refused: malformed, an unknown model, or longer than the context."""
    asked = _parse(body, shape.flavour)
    if shape.models and asked.model not in shape.models:
        raise Refused("unknown_model", refusals.unknown_model(shape.flavour, asked.model))
    if asked.response_format is not None and shape.response_format == "refuse":
        why = "response_format is not supported by this server"
        raise Refused("bad_request", refusals.bad_request(shape.flavour, why))
    if asked.pictures and shape.vision == "refuse":
        why = "image input is not supported by this model"
        raise Refused("bad_request", refusals.bad_request(shape.flavour, why))
    if asked.tokens_in >= shape.context:
        raise Refused(
            "too_long", refusals.too_long(shape.flavour, asked.tokens_in, shape.context, asked.max_tokens)
        )
    return asked


def _parse(body: bytes, flavour: str) -> Asked:
    if len(body) > _LARGEST:
        raise Refused("bad_request", refusals.bad_request(flavour, "the request body is too large"))
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refused("bad_request", refusals.bad_request(flavour, "the request body is not JSON")) from None
    messages = asked.get("messages") if isinstance(asked, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise Refused("bad_request", refusals.bad_request(flavour, "'messages' is required"))
    max_tokens = asked.get("max_completion_tokens", asked.get("max_tokens"))
    if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens < 1):
        raise Refused("bad_request", refusals.bad_request(flavour, "max_tokens must be at least 1"))
    try:
        shown = pictures.of(messages)
    except ValueError as error:
        raise Refused("bad_request", refusals.bad_request(flavour, str(error))) from None
    user = asked.get("user")
    options, form = asked.get("stream_options"), asked.get("response_format")
    return Asked(
        model=str(asked.get("model", "default")),
        messages=messages,
        max_tokens=1024 if max_tokens is None else max_tokens,
        stream=bool(asked.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        response_format=form if isinstance(form, dict) else None,
        tokens_in=tokens.count_messages([prompt.content_text(message) for message in messages])
        + pictures.TOKENS * len(shown),
        pictures=shown,
        user=user if isinstance(user, str) else "",
    )
