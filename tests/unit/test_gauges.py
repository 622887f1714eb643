"""The gauges of every server, as their sources print them, and everything that is not one."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.infer import gauges
from tasks.infer.gauges import Gauges

BASE = "http://model.test/v1"

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 7.0
vllm:num_requests_running{engine="1",model_name="m"} 5.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
# HELP vllm:num_requests_waiting_by_reason Number of waiting requests by reason.
# TYPE vllm:num_requests_waiting_by_reason gauge
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 3.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.81
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.4
"""
SGLANG = """\
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{model_name="m"} 4.0
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{model_name="m"} 2.0
# TYPE sglang:token_usage gauge
sglang:token_usage{model_name="m"} 0.28
"""
LLAMACPP = """\
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 4
# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 9
"""
TGI = """\
# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 6
# TYPE tgi_queue_size gauge
tgi_queue_size 1
# TYPE tgi_request_failure counter
tgi_request_failure{err="overloaded"} 12
"""


def read(
    respond: Callable[[httpx.Request], httpx.Response], base_url: str = BASE, api_key: str = "", **more
) -> Gauges | None:
    with httpx.Client(transport=httpx.MockTransport(respond)) as http:
        return gauges.read(http, base_url, api_key, **more)


def says(body: str | Iterator[bytes]) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, content=body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (VLLM, Gauges(running=12, waiting=3, memory=0.81)),
        (SGLANG, Gauges(running=4, waiting=2, memory=0.28)),
        (LLAMACPP, Gauges(running=4, waiting=9)),
        (TGI, Gauges(running=6, waiting=1)),
    ],
    ids=["vllm", "sglang", "llamacpp", "tgi"],
)
def test_each_servers_gauges_are_read(body: str, expected: Gauges) -> None:
    assert read(says(body)) == expected


def test_the_metrics_are_asked_for_beside_v1_and_with_the_key() -> None:
    asked = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url), request.headers.get("authorization")))
        return httpx.Response(200, text=TGI)

    read(respond, "http://model.test/llm/v1/", "k3y")
    read(respond)
    assert asked == [
        ("http://model.test/llm/metrics", "Bearer k3y"),
        ("http://model.test/metrics", None),
    ]


@pytest.mark.parametrize("status", [404, 501])
def test_llamacpp_without_metrics_is_asked_for_its_slots(status: int) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/metrics":
            return httpx.Response(status, json={"error": {"message": "PRIVATE"}})
        return httpx.Response(200, json=[{"id": 0, "is_processing": True}, {"id": 1, "is_processing": False}])

    assert read(respond) == Gauges(running=1, slots=2)


@pytest.mark.parametrize(
    "slots",
    ["not json", "{}", "[]", "[1, 2]", "null", "[" * 100_000, json.dumps({"error": "no"})],
)
def test_slots_that_are_none_are_nothing(slots: str) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.path == "/metrics" else httpx.Response(200, text=slots)

    assert read(respond) is None


@pytest.mark.parametrize("status", [401, 403, 302, 500, 503])
def test_another_status_is_no_gauges_and_no_second_question(status: int) -> None:
    asked = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(status, text=VLLM, headers={"location": "http://elsewhere.test/"})

    assert read(respond) is None
    assert asked == ["/metrics"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>hello</html>",
        "vllm:num_requests_running{ 3",
        "vllm:num_requests_running NaN",
        "vllm:num_requests_running -4",
        "vllm:num_requests_running 1e300",
        "\x00\xff",
        "some_other_gauge 3\n",
    ],
)
def test_a_body_without_gauges_is_none(body: str) -> None:
    assert read(says(body)) is None


@given(st.text(max_size=40), st.sampled_from([" ", "{", '{a="', '{a="b"} ', "_"]))
def test_no_line_breaks_the_reader(odd: str, between: str) -> None:
    read(says(f"vllm:num_requests_running{between}{odd}"))


def test_a_body_without_end_is_not_read_on() -> None:
    sent = 0

    def endless():
        nonlocal sent
        while True:
            sent += 65536
            yield b"# comment\n" * 6554

    assert read(says(endless())) is None
    assert sent < 2 * 1024 * 1024


def test_a_body_that_drips_is_given_up_after_about_a_second() -> None:
    now = 0.0

    def drip():
        nonlocal now
        for line in VLLM.encode().splitlines(keepends=True):
            now += 0.3
            yield line

    assert read(says(drip()), clock=lambda: now) is None
    assert now < 2


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.DecodingError]
)
def test_errors_of_the_network_are_no_gauges(error: type[httpx.RequestError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("gone", request=request)

    assert read(fail) is None


def test_a_wrong_address_is_no_gauges() -> None:
    assert read(says(VLLM), "http://a:b:c/v1") is None
    assert read(says(VLLM), "") is None
