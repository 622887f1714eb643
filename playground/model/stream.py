"""The shape of an answer on the wire: OpenAI's chat completion, whole or as server-sent events."""

import json
from dataclasses import dataclass
from typing import Any

from playground.model.engine import Call

DONE = b"data: [DONE]\n\n"
BROKEN_JSON = b'data: {"id": "chatcmpl-1", "choices": [{"delta": {"conte\n\n'

_LARGEST_PIECE = 32  # tokens; an answer made at once still comes as a stream


@dataclass(frozen=True)
class Wire:
    """Writes the chunks of one answer."""

    call: Call
    flavour: str

    def opening(self) -> bytes:
        """The first chunk: the role, with empty text (vLLM) or none (llama.cpp)."""
        return self._chunk({"role": "assistant", "content": None if self.flavour == "llamacpp" else ""})

    def piece(self, text: str) -> bytes:
        """A bit of the answer."""
        return self._chunk({"content": text})

    def closing(self, finish_reason: str) -> bytes:
        """The chunk with the reason why it ends."""
        return self._chunk({}, finish_reason)

    def usage(self) -> bytes:
        """The last chunk, asked for with `stream_options.include_usage`: counts, and no choices."""
        return _event(self._head("chat.completion.chunk") | {"choices": [], "usage": self._counts()})

    def whole(self, text: str, finish_reason: str) -> dict[str, Any]:
        """The answer to a request without `stream`."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": self._counts()}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event(self._head("chat.completion.chunk") | {"choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        created = int(self.call.arrived)
        return {"id": self.call.id, "object": kind, "created": created, "model": self.call.model}

    def _counts(self) -> dict[str, int]:
        tokens_in, tokens_out = self.call.tokens_in, self.call.tokens_out
        total = tokens_in + tokens_out
        return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": total}


def pieces(tokens: list[str]) -> list[str]:
    """The text of these tokens in the pieces it is sent in."""
    return ["".join(tokens[i : i + _LARGEST_PIECE]) for i in range(0, len(tokens), _LARGEST_PIECE)]


def _event(content: dict[str, Any]) -> bytes:
    # Without ASCII escapes, as vLLM writes it: Korean text is then cut inside characters by the network.
    return b"data: " + json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
