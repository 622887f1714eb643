"""The model client against hand-made answers: every server's bodies, and bytes cut anywhere."""

import contextlib
import gzip
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.infer import client, scrub
from tasks.infer.answer import LARGEST
from tasks.infer.errors import (
    Broken,
    Later,
    Loading,
    Misconfigured,
    ModelError,
    OutOfMemory,
    Overloaded,
    Refused,
    Stopped,
    TooLong,
    Unreachable,
)

BASE = "http://model.test/v1"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
PROMPT = "Our 비밀 merger with Acme closes on Friday"
CALL = client.Call("m", [{"role": "user", "content": PROMPT}], max_tokens=100)
LIMITS = client.Limits(
    connect=timedelta(seconds=1),
    stall=timedelta(seconds=5),
    first=timedelta(seconds=10),
    total=timedelta(seconds=60),
)


def go_on(text: str, tokens: int) -> bool:
    return True


class Chunks(httpx.SyncByteStream):
    """A body in the given chunks; a chunk may be an error to raise, or a function to call first."""

    def __init__(self, chunks: list[Any]) -> None:
        self.chunks = chunks
        self.given = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.given += 1
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk() if callable(chunk) else chunk

    def close(self) -> None:
        self.closed = True


def ask(
    *chunks: Any,
    status: int = 200,
    headers: dict[str, str] | None = None,
    on_progress: client.OnProgress = go_on,
    call: client.Call = CALL,
    clock: Callable[[], float] = lambda: 0.0,
    api_key: str = "key",
    seen: list[httpx.Request] | None = None,
    stream: Chunks | None = None,
) -> client.Answer:
    """Completes CALL against a server that answers with these chunks."""

    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        head = {"content-type": "text/event-stream"} | (headers or {})
        return httpx.Response(status, headers=head, stream=stream or Chunks(list(chunks)))

    with httpx.Client(transport=httpx.MockTransport(respond)) as http:
        return client.complete(http, BASE, api_key, call, LIMITS, on_progress, clock=clock, now=lambda: NOW)


def refuse(status: int, body: Any, **options: Any) -> ModelError:
    """The error for an answer with this status and JSON body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ModelError) as caught:
        ask(content, status=status, **options)
    return caught.value


def event(**content: Any) -> bytes:
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


def piece(text: str | None = None, reason: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text} | delta, "finish_reason": reason}
    return event(id="1", object="chat.completion.chunk", model="served", choices=[choice])


USAGE = event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10})
DONE = b"data: [DONE]\n\n"


# What is asked.


def test_asks_for_a_stream_with_usage_and_sends_the_key():
    seen: list[httpx.Request] = []
    ask(piece("ok", "stop"), DONE, seen=seen)
    sent = json.loads(seen[0].content)
    assert str(seen[0].url) == BASE + "/chat/completions"
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("m", 100, 0.2)
    assert "response_format" not in sent
    assert seen[0].headers["authorization"] == "Bearer key"
    assert seen[0].headers["connection"] == "close"


def test_a_response_format_is_passed_on_and_no_key_sends_no_header():
    seen: list[httpx.Request] = []
    call = client.Call("m", CALL.messages, 5, response_format={"type": "json_object"})
    ask(piece("{}", "stop"), DONE, seen=seen, call=call, api_key="")
    assert json.loads(seen[0].content)["response_format"] == {"type": "json_object"}
    assert "authorization" not in seen[0].headers


def test_half_a_surrogate_pair_in_the_text_is_sent_as_a_question_mark():
    seen: list[httpx.Request] = []
    ask(
        piece("ok", "stop"),
        DONE,
        seen=seen,
        call=client.Call("m", [{"role": "user", "content": "a\ud800b"}], 5),
    )
    assert json.loads(seen[0].content)["messages"][0]["content"] == "a?b"


# Answers.


def test_a_stream_becomes_an_answer_with_the_servers_usage():
    answer = ask(
        piece("", role="assistant"), piece("안녕"), piece("하세요"), piece(reason="stop"), USAGE, DONE
    )
    assert answer == client.Answer("안녕하세요", "stop", 7, 3, False, "served")


def test_length_is_a_truncated_success_and_missing_usage_is_none():
    answer = ask(piece("cut", "length"), DONE)
    assert (answer.truncated, answer.tokens_in, answer.tokens_out) == (True, None, None)


def test_reasoning_is_left_out_of_the_answer():
    assert ask(piece(None, reasoning_content="hmm"), piece("yes", "stop"), DONE).text == "yes"


def test_other_choices_and_unknown_fields_are_ignored():
    other = event(
        choices=[{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}], timings={"x": 1}
    )
    assert ask(b": ping\n\n", b"id: 4\nretry: 10\n\n", other, piece("yes", "stop"), DONE).text == "yes"


@pytest.mark.parametrize(
    "stream",
    [
        piece("yes", "stop").replace(b"\n", b"\r\n") + DONE.replace(b"\n", b"\r\n"),
        piece("yes", "stop").replace(b"\n", b"\r") + DONE.replace(b"\n", b"\r"),
        piece("yes", "stop").replace(b"data: ", b"data:") + b"data:[DONE]\n\n",
        b'data: {"choices": [{"delta":\ndata: {"content": "yes"},\ndata: "finish_reason": "stop"}]}\n\n',
        b"\xef\xbb\xbf" + piece("yes", "stop") + DONE,
        piece("yes", "stop") + b"data: [DONE]",
        piece("yes", "stop"),
        piece("yes") + DONE,
        piece("yes", "stop").rstrip(),
        b"\n\n" + piece("yes", "stop") + DONE,
    ],
    ids=[
        "crlf",
        "cr",
        "no space",
        "multi-line",
        "bom",
        "no last blank",
        "no done",
        "no reason",
        "bare",
        "blank",
    ],
)
def test_every_legal_spelling_of_a_stream_is_read(stream: bytes):
    assert ask(stream).text == "yes"


def test_line_separators_of_unicode_do_not_end_a_line():
    assert ask(piece("a\u2028b\u0085c\x0b", "stop"), DONE).text == "a\u2028b\u0085c\x0b"


STREAM = b"".join(
    [
        b": ping\r\n\r\n",
        piece("", role="assistant"),
        piece("서울은 "),
        piece("👍🏽 맑음"),
        piece(".", "stop"),
        USAGE,
        DONE,
    ]
)


@settings(max_examples=200)
@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=40))
def test_bytes_cut_anywhere_even_inside_a_character_give_the_same_answer(cuts: list[int]):
    edges = [0, *sorted(set(cuts)), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in itertools.pairwise(edges)]
    assert ask(*chunks) == client.Answer("서울은 👍🏽 맑음.", "stop", 7, 3, False, "served")


@settings(max_examples=200)
@given(chunks=st.lists(st.binary(max_size=60), max_size=20), status=st.sampled_from([200, 400, 500, 503]))
def test_any_bytes_give_an_answer_or_one_of_our_errors(chunks: list[bytes], status: int):
    with contextlib.suppress(ModelError):
        ask(*chunks, status=status)


@settings(max_examples=100)
@given(
    content=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "content", "error", "usage", "code", "index", "message"]
                ),
                inner,
            )
        ),
    )
)
def test_any_json_in_an_event_gives_an_answer_or_one_of_our_errors(content: Any):
    with contextlib.suppress(ModelError):
        ask(b"data: " + json.dumps(content).encode() + b"\n\n", DONE)


def test_json_instead_of_a_stream_is_an_answer_too():
    whole = {
        "model": "served",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "all"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1},
    }
    body = json.dumps(whole).encode()
    answer = ask(b"  ", body[:20], body[20:], headers={"content-type": "application/json"})
    assert answer == client.Answer("all", "stop", 2, 1, False, "served")


def test_a_packed_stream_is_unpacked():
    packed = gzip.compress(piece("yes", "stop") + DONE)
    assert ask(packed[:15], packed[15:], headers={"content-encoding": "gzip"}).text == "yes"


def test_broken_packing_is_broken():
    with pytest.raises(Broken):
        ask(b"not gzip at all", headers={"content-encoding": "gzip"})


# Progress, and being stopped.


def test_progress_is_told_for_each_chunk_received():
    told: list[tuple[str, int]] = []
    ask(
        piece("one "),
        piece("two"),
        piece(reason="stop"),
        DONE,
        on_progress=lambda *args: told.append(args) or True,
    )
    assert [text for text, _ in told] == ["one ", "one two", "one two", "one two"]
    assert [tokens for _, tokens in told] == [1, 2, 2, 2]


def test_saying_no_closes_the_stream_and_raises_stopped():
    body = Chunks([piece("one"), piece("two"), piece("three", "stop"), DONE])
    with pytest.raises(Stopped):
        ask(stream=body, on_progress=lambda text, _: text != "onetwo")
    assert body.closed
    assert body.given == 2


def test_what_progress_raises_passes_through_after_closing():
    def fail(text: str, tokens: int) -> bool:
        raise LookupError

    body = Chunks([piece("one"), DONE])
    with pytest.raises(LookupError):
        ask(stream=body, on_progress=fail)
    assert body.closed


# Limits.


class Clock:
    """Time that passes when a chunk says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def after(self, seconds: float, chunk: bytes) -> Callable[[], bytes]:
        def later() -> bytes:
            self.seconds += seconds
            return chunk

        return later


def test_pings_do_not_hold_off_the_limit_of_the_first_token():
    clock = Clock()
    with pytest.raises(Broken, match="no first token in 10 s"):
        ask(*[clock.after(1, b": ping\n\n")] * 100, clock=clock)
    assert clock.seconds == 10


def test_pings_do_not_hold_off_the_wall_clock():
    clock = Clock()
    with pytest.raises(Broken, match="not complete after 60 s"):
        ask(piece("one"), *[clock.after(1, b": ping\n\n")] * 100, clock=clock)
    assert clock.seconds == 60


def test_silence_longer_than_the_limit_is_a_stall():
    clock = Clock()
    with pytest.raises(Broken, match="nothing came for 5 s"):
        ask(piece("one"), clock.after(6, piece("two", "stop")), clock=clock)


def test_an_answer_that_is_complete_does_not_need_its_last_chunks():
    assert ask(piece("yes", "stop"), httpx.ReadError("cut")).text == "yes"
    clock = Clock()
    assert ask(piece("yes", "stop"), clock.after(99, b": ping\n\n"), clock=clock).text == "yes"


def test_an_endless_answer_is_cut_and_counts_as_truncated():
    def endless() -> Iterator[bytes]:
        while True:
            yield piece("너" * 10_000)

    body = Chunks([])
    body.chunks = endless()  # type: ignore[assignment]
    answer = ask(stream=body)
    assert (len(answer.text), answer.truncated, body.closed) == (LARGEST, True, True)


def test_an_endless_event_and_endless_comments_are_broken():
    with pytest.raises(Broken, match="one event"):
        ask(b"data: ", *[b"x" * 65536] * 40)
    with pytest.raises(Broken, match="bytes"):
        ask(*[(b": " + b"x" * 65533 + b"\n\n")] * 1000)


def test_an_endless_error_body_is_cut():
    body = Chunks([b"x" * 65536] * 1000)
    assert isinstance(refuse(500, b"", stream=body), Broken)
    assert body.given < 5


# Streams that break.


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b""],
        [DONE],
        [piece("half")],
        [piece("half"), b'data: {"choices": [{"delta": {"conte\n\n'],
        [piece("half"), b'data: {"choices": [{"delta": {"conte'],
        [piece("half"), b"data: 7\n\n"],
        [piece("half", "abort"), DONE],
        [piece("half"), httpx.ReadError("reset")],
        [piece("half"), httpx.RemoteProtocolError("incomplete chunked read")],
        [piece("half"), httpx.ReadTimeout("silent")],
        [b"<html>gateway</html>"],
        [b'{"choices": []}'],
    ],
)
def test_a_stream_without_an_end_is_broken(chunks: list[Any]):
    with pytest.raises(Broken):
        ask(*chunks)


def error_event(body: Any) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


VLLM_500 = "The server had an error while processing your request."
CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB"
GGML = "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 512.00 MiB on device 0: cudaMalloc failed: out of memory"


def openai(message: str, kind: str, code: int | str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@pytest.mark.parametrize(
    ("chunk", "kind"),
    [
        (error_event(openai(VLLM_500, "InternalServerError", 500)) + DONE, Broken),
        (error_event(openai(CUDA, "InternalServerError", 500)), OutOfMemory),
        (error_event(openai("The request queue is full.", "ServiceUnavailable", 503)), Overloaded),
        (error_event(openai("Streaming response failed: [503] The request queue is full.", "server_error", None)), Overloaded),
        (error_event({"object": "error", "message": "The request queue is full.", "code": 503}), Overloaded),
        (b'error: {"code":500,"message":"cudaMalloc failed: out of memory","type":"server_error"}\n\n', OutOfMemory),
        (b'error: {"error":{"code":500,"message":"Compute error.","type":"server_error"}}\n\n', Broken),
        (b'error: "slot lost"\n\n', Broken),
        (b'event: error\ndata: {"message": "something"}\n\n', Broken),
        (b'{"error":"llama runner process has terminated: CUDA error"}\n', OutOfMemory),
        (b'{"error":{"message":"an error was encountered","type":"api_error","param":null,"code":null}}\n', Broken),
        (error_event({"error": "Request failed during generation", "error_type": "generation"}), Broken),
        (error_event({"error": "Model is overloaded", "error_type": "overloaded"}), Overloaded),
        (error_event(openai("maximum context length is 10 tokens", "BadRequestError", 400)), TooLong),
    ],
)  # fmt: skip
def test_an_error_inside_a_stream_is_told_apart(chunk: bytes, kind: type[ModelError]):
    with pytest.raises(ModelError) as caught:
        ask(piece("half"), chunk)
    assert type(caught.value) is kind


# Answers other than 200.

BUSY = "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance."
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, openai(BUSY, "Service Unavailable", 503), Overloaded),
        (503, openai("The engine has reached its prefill token backlog limit.", "Service Unavailable", 503), Overloaded),
        (503, openai("", "ServiceUnavailableError", 503), Overloaded),
        (503, {"object": "error", "message": "The request queue is full.", "code": 503}, Overloaded),
        (503, {"error": {"code": 503, "message": "no slot available", "type": "unavailable_error"}}, Overloaded),
        (503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, Overloaded),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, Overloaded),
        (429, openai("Rate limit reached", "requests", "rate_limit_exceeded"), Overloaded),
        (529, {"error": {"message": "Overloaded", "type": "overloaded_error"}}, Overloaded),
        (503, b"<html>upstream connect error</html>", Overloaded),
        (500, openai(CUDA, "InternalServerError", 500), OutOfMemory),
        (500, {"error": {"code": 500, "message": GGML, "type": "server_error"}}, OutOfMemory),
        (500, {"error": f"llama runner process has terminated: {GGML}"}, OutOfMemory),
        (500, {"error": "model requires more system memory (5.6 GiB) than is available (3.1 GiB)"}, OutOfMemory),
        (500, b"ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 1073741824", OutOfMemory),
        (424, {"error": f"Request failed during generation: {CUDA}", "error_type": "generation"}, OutOfMemory),
        (503, LOADING, Loading),
        (503, openai("llm server loading model", "api_error", None), Loading),
        (500, openai(VLLM_500, "InternalServerError", 500), Broken),
        (424, {"error": "Incomplete generation", "error_type": "incomplete_generation"}, Broken),
        (502, b"Bad Gateway", Broken),
        (504, b"", Broken),
        (408, b"", Broken),
        (499, b"", Broken),
        # FastAPI: a service of one's own.
        (500, {"detail": CUDA}, OutOfMemory),
        (500, {"detail": [{"msg": "field required"}]}, Broken),
        (503, {"detail": "server busy"}, Overloaded),
        (401, openai("Invalid API Key", "authentication_error", 401), Misconfigured),
        (403, b"", Misconfigured),
        (404, openai("The model `x` does not exist.", "NotFoundError", 404), Misconfigured),
        (404, {"error": 'model "x" not found, try pulling it first'}, Misconfigured),
        (400, {"error": {"code": 400, "message": "'messages' is required", "type": "invalid_request_error"}}, Refused),
        (422, {"error": "Input validation error: temperature must be positive", "error_type": "validation"}, Refused),
        (501, {"error": {"message": "not supported", "type": "not_supported_error", "code": 501}}, Refused),
        (201, b"", Refused),
        (413, b"Payload Too Large", TooLong),
        (400, openai("the prompt is longer than the context length currently available to the model", "", None), TooLong),
    ],
)  # fmt: skip
def test_every_servers_refusals_are_told_apart(status: int, body: Any, kind: type[ModelError]):
    error = refuse(status, body, headers={"content-type": "application/json"})
    assert type(error) is kind
    assert error.status == status
    assert str(status) in error.detail


@pytest.mark.parametrize(
    ("status", "body", "tokens", "limit"),
    [
        (400, openai("This model's maximum context length is 4096 tokens. However, your prompt contains 5000 input tokens.", "BadRequestError", 400, "input_tokens"), 5000, 4096),
        (400, openai("This model's maximum context length is 4096 tokens. However, you requested 5100 tokens (5000 in the messages).", "BadRequestError", 400), 5100, 4096),
        (400, openai("'max_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 100 input tokens", "BadRequestError", 400), 100, 4096),
        (400, {"object": "error", "message": "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5100 tokens: 5000 tokens from the input messages and 100 tokens for the completion.", "code": 400}, 5000, 4096),
        (400, {"object": "error", "message": "The input (5000 tokens) is longer than the model's context length (4096 tokens).", "code": 400}, 5000, 4096),
        (400, {"error": {"code": 400, "message": "request (5031 tokens) exceeds the available context size (2048 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 5031, "n_ctx": 2048}}, 5031, 2048),
        (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`", "error_type": "validation"}, 5000, 4096),
        (422, {"error": "Input validation error: `inputs` must have less than 1000 tokens. Given: 1234", "error_type": "validation"}, 1234, 1000),
        (400, openai("too long", "invalid_request_error", "context_length_exceeded"), None, None),
    ],
)  # fmt: skip
def test_a_prompt_that_is_too_long_tells_the_two_numbers(
    status: int, body: Any, tokens: int | None, limit: int | None
):
    error = refuse(status, body)
    assert isinstance(error, TooLong)
    assert (error.tokens, error.limit) == (tokens, limit)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("-3", 0.0),
        ("Sun, 22 Nov 2026 12:01:30 GMT", 90.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("1e300", 86400.0),
        ("inf", 86400.0),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None):
    error = refuse(503, LOADING, headers={"retry-after": value})
    assert error.retry_after == (None if seconds is None else timedelta(seconds=seconds))


def test_a_redirect_is_not_followed():
    seen: list[httpx.Request] = []
    error = refuse(307, b"", headers={"location": "http://elsewhere.test/v1"}, seen=seen)
    assert isinstance(error, Misconfigured)
    assert len(seen) == 1


def test_an_error_body_that_is_cut_still_has_its_status():
    assert type(refuse(503, b"", stream=Chunks([b'{"error"', httpx.ReadError("cut")]))) is Overloaded


# The network.


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (httpx.ConnectError("refused"), Unreachable),
        (httpx.ConnectTimeout("slow"), Unreachable),
        (httpx.ProxyError("no"), Unreachable),
        (httpx.PoolTimeout("full"), Unreachable),
        (httpx.ReadError("reset"), Unreachable),
        (httpx.WriteError("reset"), Unreachable),
        (httpx.RemoteProtocolError("disconnected without sending a response"), Unreachable),
        (httpx.ReadTimeout("silent"), Broken),
        (httpx.WriteTimeout("silent"), Broken),
        (httpx.DecodingError("bad"), Broken),
        (httpx.LocalProtocolError("bad header"), Misconfigured),
        (httpx.UnsupportedProtocol("ftp"), Misconfigured),
        (httpx.InvalidURL("no"), Misconfigured),
    ],
)
def test_errors_of_the_network_become_ours(raised: Exception, kind: type[ModelError]):
    def fail(request: httpx.Request) -> httpx.Response:
        raise raised

    with httpx.Client(transport=httpx.MockTransport(fail)) as http, pytest.raises(ModelError) as caught:
        client.complete(http, BASE, "", CALL, LIMITS, go_on)
    assert type(caught.value) is kind
    assert caught.value.status is None


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "ftp://host/v1",
        "http://[::1/v1",
        "",
        "http://" + "a" * 70 + ".test/v1",
    ],
)
def test_an_address_that_cannot_be_one_is_refused(url: str):
    with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as http, pytest.raises(Misconfigured):
        client.complete(http, url, "", CALL, LIMITS, go_on)


@pytest.mark.parametrize("key", ["비밀", "with\nnewline"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_quoted(key: str):
    with pytest.raises(Misconfigured) as caught:
        ask(DONE, api_key=key)
    assert key not in str(caught.value)


# What gets into an error.


@pytest.mark.parametrize(
    "message",
    [
        f"validation failed for input '{PROMPT}'",
        f"bad value: {PROMPT!r}",
        f"bad value: {json.dumps(PROMPT)}",
        f"bad value: {PROMPT.upper()}",
        f"bad value: {PROMPT[:12]}",
        f"bad value: {PROMPT[:12]} and {PROMPT[20:33]}",
        "wrong key provided: sk-abc123def456",
        "wrong key provided: secretkey99",
    ],
)
def test_what_people_wrote_and_keys_never_get_into_an_error(message: str):
    error = refuse(400, openai(message, "BadRequestError", 400), api_key="secretkey99")
    for private in ("비밀", "\\ube44", "merger", "MERGER", "merg", "Acme", "Frid", "abc123", "secretkey"):
        assert private not in error.detail
        assert private not in str(error)


def test_a_detail_keeps_what_the_server_said_of_itself():
    error = refuse(404, openai("The model `x` does not exist.", "NotFoundError", 404))
    assert error.detail == "404: The model `x` does not exist. NotFoundError"


@given(message=st.text(max_size=400), said=st.text(min_size=3, max_size=50))
def test_a_detail_is_short_plain_and_without_the_words_of_the_prompt(message: str, said: str):
    clean = scrub.detail(f"{message} {said} {message}", [said])
    assert len(clean) <= scrub.LONGEST
    assert all(char == "…" or (char.isascii() and char.isprintable()) for char in clean)
    assert not any(
        len(word) >= 3 and word.isalpha() and word.casefold() not in scrub._OWN and word in clean.split()
        for word in said.split()
    )


def test_the_errors_say_what_has_to_happen_next():
    assert {Overloaded, OutOfMemory, Loading, Unreachable, Misconfigured} == set(Later.__subclasses__())
    assert not issubclass(Broken, Later)
