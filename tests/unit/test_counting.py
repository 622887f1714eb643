"""Counting by the server's own tokenizer: both kinds of bodies, few requests, and the estimate when it will not."""

import json

import httpx
import pytest

from tasks import counting
from tasks.text import chunk, tokens

TEXT = "회의에서 예산을 논의했다. The report is late. " * 400


class Server:
    """Counts words, as llama.cpp or vLLM would say it."""

    def __init__(self, kind: str, *broken: httpx.Response | Exception) -> None:
        self.kind, self.broken = kind, list(broken)
        self.heard: list[tuple[str, dict]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.heard.append((str(request.url), body))
        if self.broken:
            trouble = self.broken.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        if self.kind == "none":
            return httpx.Response(404)
        if self.kind == "llama.cpp":
            # A field that it does not know is left aside, and no content is no tokens.
            return httpx.Response(200, json={"tokens": list(range(len(body.get("content", "").split())))})
        if "prompt" not in body:
            return httpx.Response(400, json={"error": {"message": "prompt: Field required"}})
        words = body["prompt"].split()
        return httpx.Response(
            200, json={"count": len(words), "max_model_len": 4096, "tokens": [1] * len(words)}
        )


def counter(server: Server, **changes) -> counting.Counter:
    http = httpx.Client(transport=httpx.MockTransport(server))
    return counting.Counter(http, "http://model.test/v1", "key", "m", **changes)


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm"])
def test_the_server_counts(kind):
    server = Server(kind)
    count = counter(server)
    assert count("one two three") == 3
    assert count("") == 0
    assert count.is_exact
    assert {url for url, _ in server.heard} == {"http://model.test/tokenize"}
    assert len(server.heard) == (1 if kind == "llama.cpp" else 2)


def test_the_body_that_was_understood_is_used_from_then_on_and_nothing_is_asked_twice():
    server = Server("vllm")
    count = counter(server)
    for _ in range(3):
        count("one two")
    count("three")
    assert ["prompt" in body for _, body in server.heard] == [False, True, True]
    assert server.heard[-1][1] == {"model": "m", "prompt": "three", "add_special_tokens": False}


def test_cutting_asks_for_little_more_than_each_part_of_the_text_once():
    server = Server("llama.cpp")
    pieces = chunk.split(TEXT, 900, counter(server))
    assert "".join(pieces) == TEXT
    assert all(len(piece.split()) <= 900 for piece in pieces)
    assert len(server.heard) < 8 * len(pieces)
    assert max(len(body["content"]) for _, body in server.heard) <= 4096


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(404),
        httpx.Response(503, json={"error": {"message": "Loading model"}}),
        httpx.Response(200, text="<html>"),
        httpx.Response(302, headers={"location": "http://elsewhere.test/"}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
)
def test_a_server_that_does_not_count_is_left_alone_and_the_estimate_stands_in(trouble):
    server = Server("none", trouble)
    count = counter(server)
    assert count("one two three") == tokens.estimate("one two three")
    assert count(TEXT) >= tokens.estimate(TEXT)
    assert not count.is_exact
    assert len(server.heard) <= 2


def test_a_slow_server_is_asked_for_so_long_and_no_longer():
    server = Server("llama.cpp")
    ticks = iter(range(1000))
    count = counter(server, patience=3.5, clock=lambda: float(next(ticks)))
    for number in range(20):
        count(f"text {number}")
    assert len(server.heard) == 4
    assert not count.is_exact
