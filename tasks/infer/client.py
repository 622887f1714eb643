"""One call to an OpenAI-compatible model server, streamed, within limits of time and size.

Each call has a connection of its own (`Connection: close`): closing it is what makes vLLM, llama.cpp and Ollama
stop generating, and a connection left idle by the server cannot fail a new call. All waiting happens in short
reads, so that the wall clock holds and the caller is asked once a second, even while the server says nothing.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tasks.infer import refusal, scrub, sse
from tasks.infer.answer import LARGEST, Answer, Complained, Gathering, Malformed, whole
from tasks.infer.errors import Broken, Misconfigured, ModelError, Unreachable
from tasks.infer.watch import Limits, OnProgress, Watch

__all__ = ["Answer", "Call", "Limits", "OnProgress", "complete"]

_MOST_BYTES = 16 * LARGEST  # of a stream: JSON around short pieces is some 15 times their size
_MOST_ERROR_BYTES = 64 * 1024
_CONNECTED = (".connect_tcp.complete", ".connect_unix_socket.complete", ".start_tls.complete")


@dataclass(frozen=True)
class Call:
    """What to ask. `max_tokens` bounds the answer; `response_format` is OpenAI's, for answers in JSON.

    `user` is OpenAI's too: who asks, by a digest, so that operators of the server can tell people apart.
    """

    model: str
    messages: list[dict[str, Any]]
    max_tokens: int
    temperature: float = 0.2
    response_format: dict[str, Any] | None = None
    user: str = ""


def complete(
    http: httpx.Client,
    base_url: str,
    api_key: str,
    call: Call,
    limits: Limits,
    on_progress: OnProgress,
    *,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Answer:
    """The model's answer to `call` from the server at `base_url` (ends in /v1); `api_key` "" sends none.

    `http` must keep no connections open (`max_keepalive_connections=0`): a limit of time is set when one is made.

    `on_progress(text so far, tokens so far, estimated)` is called for about every chunk received, and once a
    second while nothing is; when it returns False the connection is closed and Stopped is raised.
    An answer cut by `max_tokens`, or at 2 million characters, comes back with `truncated` set.
    Raises a ModelError, and no other error of the network or of the protocol. What `on_progress` raises passes
    through, after the connection is closed.
    """
    watch = Watch(limits, Gathering(call.model), on_progress, clock)
    secrets = Secrets([said for message in call.messages for said in _said(message)], api_key)
    try:
        with _converted(watch, secrets), _opened(http, base_url, api_key, call, limits, watch) as response:
            if response.status_code != 200:
                raise _refused(response, watch, secrets, now())
            return _read(response, watch)
    except Broken:
        # The text is whole even if usage and `[DONE]` never come.
        if watch.gathering.complete:
            return watch.gathering.answer()
        raise


@dataclass(frozen=True)
class Secrets:
    """What must not get into an error: what people wrote, and the key."""

    said: list[str]
    key: str

    def classify(self, complaint: refusal.Complaint, wait: timedelta | None = None) -> ModelError:
        """The error for what the server said, with a detail that is safe to log."""
        return refusal.classify(complaint, scrub.detail(complaint.message, self.said, self.key), wait)


def _said(message: Mapping[str, Any]) -> list[str]:
    """What stands in a message: its text, or its texts and the addresses of its pictures."""
    content = message.get("content", "")
    if isinstance(content, str):
        return [content]
    return [part["text"] if part["type"] == "text" else part["image_url"]["url"] for part in content]


@contextmanager
def _opened(
    http: httpx.Client, base_url: str, api_key: str, call: Call, limits: Limits, watch: Watch
) -> Iterator[httpx.Response]:
    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(_CONNECTED):
            watch.guard(info["return_value"])

    stall, total = limits.stall.total_seconds(), limits.total.total_seconds()
    connect = min(limits.connect.total_seconds(), total)
    request = http.build_request(
        "POST",
        base_url.rstrip("/") + "/chat/completions",
        headers=_headers(api_key),
        content=_body(call),
        timeout=httpx.Timeout(connect=connect, read=min(stall, total), write=min(stall, total), pool=connect),
        extensions={"trace": trace},
    )
    response = http.send(request, stream=True, follow_redirects=False)
    watch.answered = True
    try:
        yield response
    finally:
        response.close()


def _headers(api_key: str) -> dict[str, str]:
    headers = {
        "accept": "text/event-stream, application/json",
        "accept-encoding": "identity",  # packing would hold tokens back
        "connection": "close",
        "content-type": "application/json",
    }
    if not api_key:
        return headers
    if not (api_key.isascii() and api_key.isprintable()):
        raise Misconfigured("the API key has characters that no header can carry")
    return headers | {"authorization": f"Bearer {api_key}"}


def _body(call: Call) -> bytes:
    body: dict[str, Any] = {
        "model": call.model,
        "messages": call.messages,
        "max_tokens": call.max_tokens,
        "temperature": call.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if call.user:
        body["user"] = call.user
    if call.response_format is not None:
        body["response_format"] = call.response_format
    # Half a surrogate pair, as broken files bring it, has no UTF-8; a question mark stands in for it.
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _read(response: httpx.Response, watch: Watch) -> Answer:
    """The answer of a 200: server-sent events, or one piece of JSON from servers that do not stream."""
    chunks = _chunks(response, watch, _MOST_BYTES)
    first = next(chunks, b"")
    while first and not first.strip():
        watch.ask()
        first = next(chunks, b"")
    streams = "text/event-stream" in response.headers.get("content-type", "")
    if first.lstrip().startswith(b"{") and not streams:
        return _read_whole(first, chunks, watch)
    decoder = sse.Decoder()
    gathering = watch.gathering
    try:
        chunk = first
        while chunk:
            for event in decoder.feed(chunk):
                gathering.event(event.data, error=event.error)
            watch.ask()
            if gathering.done or gathering.size > LARGEST:
                break
            chunk = next(chunks, b"")
        else:
            for event in decoder.flush():
                gathering.event(event.data, error=event.error)
    except sse.TooMuch:
        raise Broken("one event of the stream is larger than any should be") from None
    if not gathering.complete and gathering.size <= LARGEST:
        raise Broken("the stream ended before the answer did")
    return gathering.answer()


def _read_whole(first: bytes, chunks: Iterator[bytes], watch: Watch) -> Answer:
    body = [first]
    for chunk in chunks:
        body.append(chunk)
        watch.ask()
    return whole(b"".join(body).decode("utf-8", "replace"), watch.gathering.model).answer()


def _chunks(response: httpx.Response, watch: Watch, most: int) -> Iterator[bytes]:
    """The body as it comes; raises Broken when a limit of time is passed or it has more bytes than `most`."""
    size = 0
    for chunk in response.iter_bytes():
        watch.left()
        watch.heard()
        size += len(chunk)
        if size > most:
            raise Broken(f"the answer has more than {most} bytes")
        yield chunk


def _refused(response: httpx.Response, watch: Watch, secrets: Secrets, now: datetime) -> ModelError:
    """The error for an answer that is not 200."""
    wait = refusal.retry_after(response.headers, now)
    if response.is_redirect:
        return Misconfigured(
            "the server answered with a redirect; set the address it leads to", status=response.status_code
        )
    body = b""
    try:
        for chunk in _chunks(response, watch, _MOST_ERROR_BYTES):
            body += chunk
    except (Broken, httpx.HTTPError):
        pass  # The status says enough.
    complaint = refusal.from_body(response.status_code, body[:_MOST_ERROR_BYTES].decode("utf-8", "replace"))
    return secrets.classify(complaint, wait)


@contextmanager
def _converted(watch: Watch, secrets: Secrets) -> Iterator[None]:
    """httpx's errors and the protocol's as ours; before the headers nobody was there, after it is a cut."""
    try:
        yield
    except Complained as complained:
        raise secrets.classify(complained.complaint) from None
    except Malformed as malformed:
        raise Broken(str(malformed)) from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise Unreachable(f"cannot connect ({type(error).__name__})") from error
    except httpx.PoolTimeout as error:
        raise Unreachable("no connection is free in this process") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
        raise Misconfigured(f"the server's address or key cannot be used ({type(error).__name__})") from error
    except httpx.TimeoutException as error:
        raise Broken(f"the server stalled ({type(error).__name__})") from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        if watch.answered:
            raise Broken(f"the stream was cut ({type(error).__name__})") from error
        raise Unreachable(f"the connection was cut ({type(error).__name__})") from error
    except UnicodeError as error:  # from the look-up of a host name with a part of more than 63 characters
        if watch.answered:
            raise
        raise Misconfigured("the server's address cannot be used") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise Broken(f"the answer cannot be read ({type(error).__name__})") from error
