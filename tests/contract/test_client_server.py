"""The model client and the model-server stand-in, over a socket: what both sides see when things go wrong."""

import base64
import contextlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from PIL import Image
from starlette.applications import Starlette

from playground.model import ModelServer, answers
from tasks import embedding, linefile
from tasks.infer import client
from tasks.infer.errors import (
    Broken,
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
from tests.services import free_port, wait_for

FLAVOURS = ["vllm", "llamacpp", "ollama", "sglang", "tgi"]
LONG = {"answer": "fixed", "tokens": 10_000, "tokens_per_second": 50}


def limits(**seconds: float) -> client.Limits:
    chosen = {"connect": 5.0, "stall": 30.0, "first": 30.0, "total": 50.0} | seconds
    return client.Limits(**{name: timedelta(seconds=value) for name, value in chosen.items()})


def go_on(text: str, tokens: int) -> bool:
    return True


class Server:
    """A stand-in that listens, driven by its control calls as any test would."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url, self.http = url, http

    def be(self, **shape: Any) -> None:
        self.http.post(f"{self.url}/control/model", json=shape).raise_for_status()

    def misbehave(self, kind: str, **settings: Any) -> None:
        self.http.post(f"{self.url}/control/faults/model", json={"kind": kind} | settings).raise_for_status()

    def truth(self) -> dict[str, Any]:
        return self.http.get(f"{self.url}/control/model").raise_for_status().json()

    def wait_for(self, **expected: Any) -> dict[str, Any]:
        """The truth, once it has these values."""

        def holds() -> dict[str, Any] | None:
            truth = self.truth()
            return truth if all(truth[name] == value for name, value in expected.items()) else None

        return wait_for(holds, what=f"the model server to show {expected}")

    def complete(
        self,
        text: str = "Hello.",
        on_progress: client.OnProgress = go_on,
        model: str = "m",
        key: str = "",
        max_tokens: int = 20_000,
        **seconds: float,
    ) -> client.Answer:
        call = client.Call(model, [{"role": "user", "content": text}], max_tokens)
        return client.complete(self.http, f"{self.url}/v1", key, call, limits(**seconds), on_progress)


@contextlib.contextmanager
def running(app: Any) -> Iterator[str]:
    """An ASGI application on a free loopback port, in a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_for(lambda: server.started, what="uvicorn")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


@pytest.fixture(scope="module")
def listening() -> Iterator[tuple[str, ModelServer]]:
    model = ModelServer()
    with running(Starlette(routes=model.routes())) as url:
        yield url, model


@pytest.fixture
def server(listening: tuple[str, ModelServer]) -> Iterator[Server]:
    url, model = listening
    with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as http:
        fresh = Server(url, http)
        fresh.wait_for(in_flight=0)
        model.reset()
        fresh.be(context=32_768, answer="echo")
        yield fresh
        model.clear_faults()


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


@contextlib.contextmanager
def raw(*script: bytes | float, hold: bool = True) -> Iterator[tuple[str, threading.Event]]:
    """A server of bytes: for one connection it sends the script (numbers are waits), and sees the client leave."""
    left = threading.Event()
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for part in script:
                    if isinstance(part, bytes):
                        connection.sendall(part)
                    elif over.wait(part):
                        return
                if hold:
                    connection.settimeout(20)
                    while connection.recv(65536):
                        pass
                    left.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", left
        finally:
            over.set()
            thread.join(25)


def ask_raw(url: str, on_progress: client.OnProgress = go_on, **seconds: float) -> client.Answer:
    call = client.Call("m", [{"role": "user", "content": "Hello."}], 10)
    with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as http:
        return client.complete(http, f"{url}/v1", "", call, limits(**seconds), on_progress)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "word "}}]}\n\n'


# Answers.


def test_an_answer_comes_whole_with_usage_and_the_server_counts_it(server: Server):
    answer = server.complete("Say 안녕하세요 👍🏽 back.")
    assert answer.text == "Say 안녕하세요 👍🏽 back."
    assert (answer.finish_reason, answer.truncated, answer.model) == ("stop", False, "m")
    truth = server.wait_for(in_flight=0)
    assert (truth["served"], truth["refused"], truth["peak_in_flight"]) == (1, 0, 1)
    assert truth["calls"][0]["state"] == "done"
    assert (answer.tokens_in, answer.tokens_out) == (
        truth["calls"][0]["tokens_in"],
        truth["calls"][0]["tokens_out"],
    )


def test_an_answer_longer_than_asked_for_is_truncated(server: Server):
    server.be(answer="fixed", tokens=50)
    answer = server.complete(max_tokens=10)
    assert (answer.truncated, answer.tokens_out) == (True, 10)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_streams(server: Server, flavour: str):
    server.be(flavour=flavour)
    assert server.complete("Hello there.").text == "Hello there."


def test_a_stream_at_a_pace_is_told_as_it_comes(server: Server):
    server.be(answer="fixed", tokens=40, tokens_per_second=4)
    told: list[str] = []

    def tell(text: str, _: int) -> bool:
        told.append(text)
        if len(set(told)) == 3:
            server.be(tokens_per_second=0)  # The rest at once.
        return True

    answer = server.complete(on_progress=tell)
    assert len(set(told)) > 2
    assert all(answer.text.startswith(text) for text in told)


def test_the_built_in_model_answers_and_says_what_it_is(server: Server):
    server.be(answer="summary")
    answer = server.complete("<text>\nThe cat sat on the mat. The dog slept by the door.\n</text>")
    assert answer.text.startswith("The cat sat on the mat.")
    assert "LLM_URL" in answer.text.splitlines()[-1]


def test_a_json_schema_is_kept_by_the_built_in_model(server: Server):
    server.be(answer="summary")
    schema = {
        "type": "object",
        "properties": {
            "mood": {"enum": ["good", "bad"]},
            "why": {"type": "array", "items": {"type": "string"}},
        },
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    call = client.Call("m", [{"role": "user", "content": "The launch went well."}], 100, response_format=form)
    answer = client.complete(server.http, f"{server.url}/v1", "", call, limits(), go_on)
    assert json.loads(answer.text) == {"mood": "good", "why": ["The launch went well."]}


def shown(*urls: str) -> client.Call:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return client.Call("m", [{"role": "user", "content": [{"type": "text", "text": "See."}, *parts]}], 100)


def test_a_picture_is_seen_and_counted(server: Server):
    """The record says what arrived, by its own decoding."""
    png = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    answer = client.complete(server.http, f"{server.url}/v1", "", shown(png, png), limits(), go_on)
    assert answer.text == "See."
    assert answer.tokens_in is not None
    assert answer.tokens_in > 2 * 576
    truth = server.wait_for(in_flight=0)
    assert [(one["type"], one["width"], one["height"]) for one in truth["pictures"]] == [
        ("image/png", 4, 3)
    ] * 2


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png", "data:image/png;base64,AAAA", "data:text/plain,x"]
)
def test_what_is_no_picture_is_refused(server: Server, url: str):
    with pytest.raises(Refused):
        client.complete(server.http, f"{server.url}/v1", "", shown(url), limits(), go_on)


def test_a_server_that_sees_none_refuses_pictures(server: Server):
    server.be(vision="refuse")
    png = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    with pytest.raises(Refused):
        client.complete(server.http, f"{server.url}/v1", "", shown(png), limits(), go_on)
    assert server.complete().text == "Hello."


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 3)).save(out, "PNG")
    return out.getvalue()


# Room.


def test_calls_beyond_the_slots_wait_and_none_is_lost(server: Server, workers: ThreadPoolExecutor):
    server.be(slots=2, answer="fixed", tokens=20, first_token_seconds=600)
    answers = [workers.submit(server.complete) for _ in range(6)]
    server.wait_for(running=2, waiting=4)
    server.be(first_token_seconds=0)
    assert all(answer.result(30).text for answer in answers)
    truth = server.wait_for(in_flight=0)
    assert (truth["served"], truth["waiting"]) == (6, 0)
    assert (truth["peak_in_flight"], truth["peak_running"]) == (6, 2)


def test_a_full_queue_refuses(server: Server, workers: ThreadPoolExecutor):
    server.be(slots=1, queue=1, **LONG)
    stop = threading.Event()
    calls = [workers.submit(server.complete, on_progress=lambda *_: not stop.is_set()) for _ in range(2)]
    server.wait_for(in_flight=2, waiting=1)
    with pytest.raises(Overloaded):
        server.complete()
    assert server.truth()["refused"] == 1
    stop.set()
    stopped(calls)


def test_memory_that_is_full_is_out_of_memory_or_a_wait(server: Server, workers: ThreadPoolExecutor):
    server.be(memory_tokens=150, **LONG)
    stop = threading.Event()
    ask = {"on_progress": lambda *_: not stop.is_set(), "max_tokens": 100}
    calls = [workers.submit(server.complete, **ask)]
    server.wait_for(running=1)
    with pytest.raises(OutOfMemory):
        server.complete(max_tokens=100)
    server.be(memory_full="wait")
    calls.append(workers.submit(server.complete, **ask))
    server.wait_for(running=1, waiting=1)
    with pytest.raises(OutOfMemory):
        server.complete(max_tokens=1000)
    stop.set()
    stopped(calls)


def stopped(calls: list[Future[client.Answer]]) -> None:
    for call in calls:
        with pytest.raises(Stopped):
            call.result(20)


# Stopping frees the server.


def test_stopping_a_stream_frees_the_slot_at_the_server(server: Server):
    server.be(slots=1, **LONG)
    with pytest.raises(Stopped):
        server.complete(on_progress=lambda text, _: not text)
    truth = server.wait_for(in_flight=0)
    assert truth["calls"][0]["state"] == "gone"
    assert truth["calls"][0]["tokens_out"] < 10_000


def test_a_call_that_waits_for_its_first_token_can_be_stopped(server: Server):
    """The caller is asked once a second even while the server says nothing; leases depend on that."""
    server.be(slots=1, first_token_seconds=600)
    with pytest.raises(Stopped):
        server.complete(on_progress=lambda *_: False)
    assert server.wait_for(in_flight=0)["calls"][0]["state"] == "gone"


def test_a_call_that_waits_in_the_servers_queue_can_be_stopped(server: Server, workers: ThreadPoolExecutor):
    server.be(slots=1, **LONG)
    stop = threading.Event()
    first = workers.submit(server.complete, on_progress=lambda *_: not stop.is_set())
    server.wait_for(running=1)
    with pytest.raises(Stopped):
        server.complete(on_progress=lambda *_: False)
    server.wait_for(in_flight=1, waiting=0)
    stop.set()
    stopped([first])


def test_an_error_of_the_caller_frees_the_slot_too(server: Server):
    def fail(text: str, tokens: int) -> bool:
        raise LookupError

    server.be(**LONG)
    with pytest.raises(LookupError):
        server.complete(on_progress=fail)
    server.wait_for(in_flight=0)


# Limits of time, against the stand-in and against servers that drip.


def test_a_stall_ends_the_call_and_frees_the_slot(server: Server):
    server.misbehave("stall")
    with pytest.raises(Broken, match="nothing came"):
        server.complete(stall=0.3)
    assert server.wait_for(in_flight=0)["calls"][0]["state"] == "gone"


def test_the_first_token_has_a_limit_of_its_own(server: Server):
    server.be(first_token_seconds=600)
    with pytest.raises(Broken, match="no first token"):
        server.complete(first=0.3)
    server.wait_for(in_flight=0)


def test_the_wall_clock_ends_a_stream_that_flows(server: Server):
    server.be(**LONG)
    with pytest.raises(Broken, match="not complete after"):
        server.complete(total=0.5)
    server.wait_for(in_flight=0)


PACKED = (
    HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n") + b"\x1f\x8b\x08" + bytes(6) + b"\x03"
)
CHUNKED = HEAD.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n5;")


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (HEAD + WORD, b": ping\n\n"),
        (HEAD + WORD, b"data"),
        (CHUNKED, b"x"),
        (PACKED, b"\x00\x00\x00\xff\xff"),  # an empty deflate block
        (b"HTTP/1.1 200 OK\r\nx-slow: ", b"x"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    ],
    ids=["pings", "half a line", "half a chunk", "packed", "headers", "informational"],
)
def test_the_wall_clock_holds_against_a_server_that_drips(head: bytes, drop: bytes):
    """httpx's own read time-out begins anew with every byte, so it would wait for ever here."""
    with raw(head, *[drop, 0.05] * 600) as (url, _), pytest.raises(Broken, match="not complete after 1 s"):
        ask_raw(url, total=1)


def test_the_wall_clock_holds_against_a_server_that_says_nothing():
    with raw(HEAD + WORD) as (url, left):
        with pytest.raises(Broken, match="not complete after"):
            ask_raw(url, total=0.5)
        assert left.wait(10)


def test_the_caller_is_asked_while_the_server_is_silent():
    asked: list[str] = []
    with raw(HEAD + WORD) as (url, left):
        with pytest.raises(Stopped):
            ask_raw(url, on_progress=lambda text, _: asked.append(text) or len(asked) < 3)
        assert left.wait(10)
    assert asked == ["word ", "word ", "word "]


def test_the_last_chunk_ends_the_call_even_if_the_connection_stays_open():
    end = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    with raw(HEAD + WORD + end) as (url, left):
        assert ask_raw(url).text == "word "
        assert left.wait(10)


# Refusals and faults, from every flavour.


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("busy", Overloaded),
        ("rate_limited", Overloaded),
        ("out_of_memory", OutOfMemory),
        ("loading", Loading),
        ("down", Unreachable),
        ("refuse_context", TooLong),
        ("error_in_stream", Broken),
        ("cut_stream", Broken),
        ("no_done", Broken),
        ("bad_json", Broken),
    ],
)
def test_every_fault_of_every_flavour_is_told_apart_and_ends(
    server: Server, fault: str, flavour: str, kind: type[ModelError]
):
    server.misbehave(fault, flavour=flavour)
    with pytest.raises(ModelError) as caught:
        server.complete("A sentence of some length, so that half of it can be sent before the fault.")
    assert type(caught.value) is kind
    assert server.complete("Hello.").text == "Hello."


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_prompt_longer_than_the_context_is_too_long(server: Server, flavour: str):
    server.be(flavour=flavour, context=50)
    with pytest.raises(TooLong) as caught:
        server.complete("word " * 100)
    if flavour != "ollama":  # which tells no numbers
        assert caught.value.limit == 50
        assert caught.value.tokens is not None
        assert caught.value.tokens > 50


def test_retry_after_is_passed_on(server: Server):
    server.misbehave("rate_limited", retry_after=17)
    with pytest.raises(Overloaded) as caught:
        server.complete()
    assert caught.value.retry_after == timedelta(seconds=17)


def test_a_wrong_key_and_an_unknown_model_are_refused(server: Server):
    server.be(api_key="right", models=["m"])
    assert server.complete("Hello.", key="right").text == "Hello."
    with pytest.raises(Misconfigured) as caught:
        server.complete(key="wrong")
    assert caught.value.status == 401
    with pytest.raises(Misconfigured) as caught:
        server.complete(key="right", model="other")
    assert caught.value.status == 404


def test_a_server_that_loads_says_so_and_then_answers(server: Server):
    server.be(loading_seconds=600)
    with pytest.raises(Loading):
        server.complete()
    assert server.http.get(f"{server.url}/health").status_code == 503
    server.be(loading_seconds=0)
    assert server.complete("Hello.").text == "Hello."


def test_a_fault_that_lasts_ends_when_faults_are_cleared(server: Server, listening: tuple[str, ModelServer]):
    server.misbehave("down", seconds=600)
    for _ in range(2):
        with pytest.raises(Unreachable):
            server.complete()
    with pytest.raises(httpx.RemoteProtocolError):
        server.http.get(f"{server.url}/health")
    listening[1].clear_faults()
    assert server.complete("Hello.").text == "Hello."


def test_a_slow_server_answers_in_the_end(server: Server):
    server.misbehave("slow", seconds=0.01)
    assert server.complete("Hello there, how are you today?").text == "Hello there, how are you today?"


def test_a_port_where_nobody_listens_is_unreachable():
    with pytest.raises(Unreachable):
        ask_raw(f"http://127.0.0.1:{free_port()}")


def test_a_listener_that_never_answers_is_broken_by_the_limit_of_the_first_token():
    with raw() as (url, left):
        with pytest.raises(Broken, match="no first token"):
            # A server may queue a call without a word: the stall limit counts from the first token on.
            ask_raw(url, stall=0.1, first=0.4)
        assert left.wait(10)


def test_tls_where_none_is_spoken_is_unreachable(server: Server):
    with pytest.raises(Unreachable):
        ask_raw(server.url.replace("http:", "https:"))


# The rest of the server.


def test_gauges_follow_the_calls(server: Server, workers: ThreadPoolExecutor):
    server.be(slots=1, **LONG)
    stop = threading.Event()
    calls = [workers.submit(server.complete, on_progress=lambda *_: not stop.is_set()) for _ in range(2)]
    server.wait_for(running=1, waiting=1)
    metrics = server.http.get(f"{server.url}/metrics").text
    assert 'vllm:num_requests_running{model_name="built-in"} 1.0' in metrics
    assert 'vllm:num_requests_waiting{model_name="built-in"} 1.0' in metrics
    server.be(flavour="llamacpp")
    metrics = server.http.get(f"{server.url}/metrics").text
    assert "llamacpp:requests_processing 1.0" in metrics
    assert "llamacpp:requests_deferred 1.0" in metrics
    assert [slot["is_processing"] for slot in server.http.get(f"{server.url}/slots").json()] == [True]
    assert server.http.get(f"{server.url}/slots?fail_on_no_slot=1").status_code == 503
    stop.set()
    stopped(calls)
    server.wait_for(in_flight=0)
    assert server.http.get(f"{server.url}/slots?fail_on_no_slot=1").status_code == 200


def test_models_and_token_counts_agree_with_usage(server: Server):
    assert server.http.get(f"{server.url}/v1/models").json()["data"][0]["id"] == "built-in"
    messages = [{"role": "user", "content": "Hello there, 안녕하세요."}]
    counted = server.http.post(f"{server.url}/tokenize", json={"messages": messages}).json()
    assert counted["count"] == server.complete(messages[0]["content"]).tokens_in
    assert counted["max_model_len"] == 32_768
    listed = server.http.post(f"{server.url}/tokenize", json={"content": "Hello there"}).json()
    assert len(listed["tokens"]) == 2


def test_an_answer_without_streaming(server: Server):
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello."}]}
    answer = server.http.post(f"{server.url}/v1/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == "Hello."
    assert answer["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"messages": []}', b'{"messages": [1]}', b'{"messages": "x"}']
)
def test_a_malformed_request_gets_400(server: Server, body: bytes):
    assert server.http.post(f"{server.url}/v1/chat/completions", content=body).status_code == 400
    assert server.wait_for(in_flight=0)["refused"] == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("model", {"slots": 0}),
        ("model", {"slots": "4"}),
        ("model", {"slot": 4}),
        ("model", {"tokens_per_second": -1}),
        ("model", {"flavour": "gpt"}),
        ("faults/model", {"kind": "explode"}),
        ("faults/model", {"kind": "busy", "times": "many"}),
        ("faults/model", {"kind": "busy", "until": 3}),
        ("faults/model", {}),
    ],
)
def test_control_says_what_is_wrong(server: Server, path: str, body: dict[str, Any]):
    answer = server.http.post(f"{server.url}/control/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("bad_")
    assert answer.json()["detail"]


def test_reset_brings_the_first_shape_back(server: Server, listening: tuple[str, ModelServer]):
    server.complete()
    server.be(slots=9)
    server.misbehave("busy", times=5)
    listening[1].reset()
    truth = server.truth()
    assert (truth["slots"], truth["served"], truth["calls"], truth["faults"]) == (4, 0, [], [])


def test_the_loop_stays_live_while_a_text_is_summarized(
    server: Server, workers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
):
    """However long that takes."""
    goes_on, write = threading.Event(), answers.write

    def held(*asked: Any) -> str:
        goes_on.wait(20)
        return write(*asked)

    monkeypatch.setattr(answers, "write", held)
    server.be(answer="summary")
    long = workers.submit(server.complete, "The harbour froze. It thawed in spring.")
    server.wait_for(running=1)
    assert server.http.get(f"{server.url}/health").status_code == 200
    assert not long.done()
    goes_on.set()
    assert long.result(20).text


def test_embeddings_come_in_order_and_find_what_shares_words(server: Server):
    """As `tasks.embedding` asks for them, in more than one batch."""
    main = linefile.Server("main", f"{server.url}/v1", "", "m", None, 8192, None, "bge-m3")
    texts = [f"회의는 {number}월에 열린다" for number in range(1, 100)] + ["도서관은 아홉 시에 문을 연다"]
    with httpx.Client() as http:
        model = embedding.of(main, http)
        assert model is not None
        vectors = model.vectors(texts)
        near = embedding.nearness(model.vectors(["도서관은 언제 여나요?"])[0], vectors)
    assert (model.name, len(vectors)) == ("main/bge-m3", 100)
    assert near.index(max(near)) == 99


@pytest.mark.parametrize("kind", ["down", "loading"])
def test_a_server_that_gives_no_vectors_now_is_unavailable(server: Server, kind: str):
    server.misbehave(kind, seconds=30)
    main = linefile.Server("main", f"{server.url}/v1", "", "m", None, 8192, None, "bge-m3")
    with httpx.Client() as http, pytest.raises(embedding.Unavailable):
        embedding.Remote(main, http).vectors(["x"])
