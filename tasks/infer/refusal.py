"""Turns what a model server answers instead of text into one of our errors.

Statuses and bodies of vLLM 0.33, SGLang 0.5.23, llama.cpp, Ollama and TGI as read in their sources
(docs: model servers). A body is looked at by its words, because the servers agree on nothing else.
"""

import email.utils
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.infer.errors import (
    Broken,
    Loading,
    Misconfigured,
    ModelError,
    OutOfMemory,
    Overloaded,
    Refused,
    TooLong,
)

_MEMORY = (
    "out of memory",
    "outofmemory",
    "cuda error",
    "cudamalloc",
    "hip error",
    "failed to allocate",
    "unable to allocate",
    "cannot allocate memory",
    "more system memory",  # Ollama: "model requires more system memory (...) than is available"
    "space in the kv cache",  # llama.cpp: "failed to find free space in the KV cache"
    "enough memory",
    "insufficient memory",
)
_BUSY = (
    "overloaded",
    "server busy",
    "currently busy",
    "queue is full",
    "backlog limit",
    "no slot",
    "rate limit",
    "too many requests",
    "maximum pending requests",
    "higher priority request",
)
_LOADING = ("loading model", "model is loading", "still loading", "currently loading", "is not loaded yet")
_LONG = (
    "exceed_context_size_error",
    "context_length_exceeded",
    "maximum context length",
    "context size",
    "longer than the context",
    "longer than the model's context",
    "longer than the maximum model length",
    "input is too long",
    "prompt is too long",
    "max_new_tokens` must be",
    "must have less than",  # TGI: "`inputs` must have less than N tokens. Given: M"
)
# (tokens, limit) as the servers write them, most telling first; a group that is not there is not known.
_NUMBERS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"\((?P<tokens>\d+) tokens\) exceeds the available context size \((?P<limit>\d+)",
        r"maximum context length (?:is|of) (?P<limit>\d+).{0,80}?(?:contains|has|resulted in) (?P<tokens>\d+)",
        r"maximum context length (?:is|of) (?P<limit>\d+).{0,120}?: (?P<tokens>\d+) tokens from the input",
        r"maximum context length (?:is|of) (?P<limit>\d+).{0,80}?requested (?P<tokens>\d+)",
        r"\((?P<tokens>\d+) tokens\) is longer than the model's context length \((?P<limit>\d+)",
        r"\(length (?P<tokens>\d+)\) is longer than the maximum model length of (?P<limit>\d+)",
        r"must be <= (?P<limit>\d+)\. Given: (?P<tokens>\d+)",
        r"less than (?P<limit>\d+) tokens\. Given: (?P<tokens>\d+)",
        r"maximum context length (?:is|of) (?P<limit>\d+)",
    )
)
_CODE_IN_TEXT = re.compile(r"\[(?P<code>[45]\d\d)\]")  # SGLang: "Streaming response failed: [503] The ..."
_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True)
class Complaint:
    """What a server said: its words, its code, and the parts of the body that carry numbers."""

    message: str
    status: int
    fields: Mapping[str, Any]


def from_body(status: int, body: str) -> Complaint:
    """The complaint in the body of an answer that is not 200; any text will do."""
    try:
        content = json.loads(body)
    except ValueError:
        return Complaint(body, status, {})
    return from_json(content, status)


def from_json(content: Any, status: int = 500) -> Complaint:
    """The complaint in any of the servers' JSON shapes; inside a stream its own code counts, else `status`."""
    fields = content if isinstance(content, dict) else {}
    inner = fields.get("error", fields)
    if isinstance(inner, dict):
        fields = inner
        # A code in words is telling ("context_length_exceeded"); one in numbers is the status again.
        # FastAPI, in which people write services of their own, calls its message "detail".
        words = [inner.get(key) for key in ("message", "detail", "type", "code")]
        message = " ".join(word for word in words if isinstance(word, str))
    else:
        message = f"{inner} {fields.get('error_type', '')}"
    code = fields.get("code", fields.get("status_code"))
    quoted = _CODE_IN_TEXT.search(message)
    if status == 500 and isinstance(code, int) and 400 <= code < 600:
        status = code
    elif status == 500 and quoted:
        status = int(quoted["code"])
    return Complaint(message.strip(), status, fields)


def is_complaint(content: Mapping[str, Any]) -> bool:
    """Whether an event of a 200 stream is an error: `{"error": ...}`, or SGLang's `{"object": "error", ...}`."""
    return bool(content.get("error")) or content.get("object") == "error"


def classify(complaint: Complaint, detail: str, retry_after: timedelta | None = None) -> ModelError:
    """The error to raise; `detail` is the text that may be logged."""
    status, words = complaint.status, complaint.message.casefold()
    detail = f"{status}: {detail}" if detail else str(status)
    if status in {400, 413, 422, 500} and (status == 413 or _has(words, _LONG)):
        tokens, limit = _sizes(complaint)
        return TooLong(detail, status=status, tokens=tokens, limit=limit)
    kind = _kind(status, words)
    return kind(detail, status=status, retry_after=retry_after)


def _kind(status: int, words: str) -> type[ModelError]:
    failed = status >= 500 or status in {424, 429}  # TGI answers 424 when the generation failed
    if failed and _has(words, _MEMORY):
        return OutOfMemory
    if failed and _has(words, _LOADING):
        return Loading
    # 529: overloaded, as some hosted APIs say it.
    if status in {429, 503, 529} or (failed and _has(words, _BUSY)):
        return Overloaded
    # 408, 409 and 425 pass by themselves; 499 is Ollama's for a client that left; 501 never passes.
    if (failed and status != 501) or status in {408, 409, 425, 499}:
        return Broken
    # The key, the right to use the model, or an address or a model that is not there.
    return Misconfigured if status in {401, 403, 404, 405} else Refused


def _has(words: str, markers: tuple[str, ...]) -> bool:
    return any(marker in words for marker in markers)


def _sizes(complaint: Complaint) -> tuple[int | None, int | None]:
    tokens, limit = complaint.fields.get("n_prompt_tokens"), complaint.fields.get("n_ctx")
    if isinstance(tokens, int) and isinstance(limit, int):
        return tokens, limit
    for pattern in _NUMBERS:
        match = pattern.search(complaint.message)
        if match:
            found = match.groupdict()
            return (int(found["tokens"]) if found.get("tokens") else None), int(found["limit"])
    return None, None


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the server asks to wait (RFC 9110, 10.2.3: seconds or a date), at most a day; None if unsaid."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value, now)
    if math.isnan(seconds):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), _LONGEST_WAIT.total_seconds()))


def _seconds_until(date: str, now: datetime) -> float:
    try:
        then = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - now.timestamp()
