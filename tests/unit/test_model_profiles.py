"""The make-believe GPU: what each profile does when it is asked for more than it has, and the record of it."""

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.config import Config
from playground.model import answers, batch, profiles, tokens
from playground.model.engine import Busy, Call, Engine, OutOfMemory, Spent
from playground.model.quota import Quota
from playground.model.shape import BadShape, Shape
from playground.server import running
from tests.services import free_port, wait_for

# A fast engine with the rules of vLLM.
QUICK = {"step_seconds": 0.001, "sequence_seconds": 0, "prefill_tokens_per_second": 0, "stream_seconds": 0.01}


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Gpu:
    """An engine on a clock of its own."""

    def __init__(self, shape: Shape) -> None:
        self.clock = Clock()
        self.engine = Engine(shape, self.clock)

    def ask(self, goal: int, tokens_in: int = 10, user: str = "") -> Call:
        call = self.engine.arrive("m", tokens_in, goal, user)
        self.engine.expect(call, goal, last=True)
        try:
            self.engine.line_up(call)
        except (Busy, OutOfMemory, Spent) as refused:
            self.engine.leave(call, "refused", type(refused).__name__)
            raise
        return call

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.engine.advance()

    def finish(self) -> float:
        """Let all calls end, looking often; how many seconds it took."""
        begun = self.clock.now
        for _ in range(1_000_000):
            if not self.engine.in_flight:
                return self.clock.now - begun
            self.wait(0.01)
        raise AssertionError("the calls never end")


# The model of a step.


def test_a_step_reads_the_weights_once_and_the_rest_for_each():
    shape = Shape.of("vllm", step_seconds=0.02, sequence_seconds=0.002, kv_token_seconds=1e-6)
    assert batch.step_seconds(shape, 1, 1, 0) == pytest.approx(0.022)
    assert batch.step_seconds(shape, 8, 8, 10_000) == pytest.approx(0.02 + 8 * 0.002 + 0.01)
    prefill = batch.step_seconds(shape, 1, 2001, 0) - batch.step_seconds(shape, 1, 1, 0)
    assert prefill == pytest.approx(2000 / shape.prefill_tokens_per_second)


@pytest.mark.parametrize("profile", ["vllm", "llamacpp", "ollama"])
def test_throughput_rises_ever_more_slowly_with_the_batch(profile: str):
    shape = Shape.of(profile)
    rates = [size / batch.step_seconds(shape, size, size, 300 * size) for size in range(1, 65)]
    gains = [after - before for before, after in itertools.pairwise(rates)]
    assert all(gain > 0 for gain in gains)
    assert gains == sorted(gains, reverse=True)
    assert rates[-1] < 1 / shape.sequence_seconds


def test_the_knee_of_vllm_is_where_a_bench_can_see_it():
    """At the knee half of the step is shared: from there on more calls mostly make each slower."""
    shape = Shape.of("vllm")
    assert 8 <= shape.step_seconds / shape.sequence_seconds <= 16


def test_a_long_prompt_is_prefilled_in_chunks_beside_those_that_write():
    shape = Shape.of("vllm", batch_tokens=100)
    writing, reading = call(tokens_in=10, tokens_out=5, cached=14), call(tokens_in=250)
    step = batch.plan(shape, [writing], [reading])
    assert (step.work, step.admitted) == ({writing: 1, reading: 99}, [reading])
    reading.cached = 99
    assert batch.plan(shape, [writing, reading], []).work == {writing: 1, reading: 99}
    reading.cached = 198
    assert batch.plan(shape, [writing, reading], []).work == {writing: 1, reading: 52}


def call(tokens_in: int, tokens_out: int = 0, cached: int = 0, goal: int = 100) -> Call:
    return Call(
        "c", "m", "", tokens_in, goal, 0.0, tokens_out=tokens_out, cached=cached, goal=goal, last=True
    )


def test_the_latest_started_gives_its_memory_to_the_others():
    shape = Shape.of("vllm", context=100, memory_tokens=100)
    first, second, third = (call(29, 4, 32) for _ in range(3))
    step = batch.plan(shape, [first, second, third], [])
    assert (step.preempted, list(step.work)) == ([], [first, second, third])
    first, second, third = (call(30, 4, 33) for _ in range(3))
    # Nobody comes in the place of a call that had to go, although there would be room now.
    step = batch.plan(shape, [first, second, third], [call(10)])
    assert (step.preempted, list(step.work), step.admitted) == ([third], [first, second], [])


# Fragile.


def test_fragile_takes_six_and_the_seventh_is_out_of_memory():
    gpu = Gpu(Shape.of("fragile"))
    taken = [gpu.ask(100) for _ in range(6)]
    with pytest.raises(OutOfMemory):
        gpu.ask(100)
    assert [one.state for one in taken] == ["prefill"] * 6
    gpu.finish()
    assert [one.state for one in taken] == ["done"] * 6
    assert gpu.engine.record.refusals == {"OutOfMemory": 1}
    assert gpu.ask(1).started


def test_fragile_is_as_fast_with_six_as_with_one():
    took = []
    for calls in (1, 6):
        gpu = Gpu(Shape.of("fragile"))
        for _ in range(calls):
            gpu.ask(100)
        took.append(gpu.finish())
    assert took[0] == took[1]


def test_less_room_counts_for_those_who_come_and_not_for_those_who_are_in():
    gpu = Gpu(Shape.of("fragile"))
    taken = [gpu.ask(100) for _ in range(6)]
    gpu.engine.become(gpu.engine.shape.changed({"slots": 3}), reload=False)
    for left in (5, 4, 3):
        with pytest.raises(OutOfMemory):
            gpu.ask(100)
        gpu.engine.leave(taken[left], "gone")
    with pytest.raises(OutOfMemory):
        gpu.ask(100)
    gpu.engine.leave(taken[2], "gone")
    gpu.ask(100)
    gpu.finish()
    assert [one.state for one in taken] == ["done"] * 2 + ["gone"] * 4


def test_another_speed_counts_from_now_on():
    gpu = Gpu(Shape(tokens_per_second=10))
    going = gpu.ask(101)
    gpu.wait(5)
    assert going.tokens_out == 51
    gpu.engine.become(gpu.engine.shape.changed({"tokens_per_second": 50}), reload=False)
    gpu.wait(0.5)
    assert 75 <= going.tokens_out <= 77
    assert gpu.finish() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("before", list(profiles.SETTINGS))
@pytest.mark.parametrize("after", list(profiles.SETTINGS))
def test_a_server_that_becomes_another_finishes_what_it_began(before: str, after: str):
    gpu = Gpu(Shape.of(before, loading_seconds=0))
    calls = [gpu.ask(60) for _ in range(4)]
    gpu.wait(1)
    gpu.engine.become(Shape.of(after, slots=1), reload=True)
    gpu.finish()
    assert [(one.state, one.tokens_out) for one in calls] == [("done", 60)] * 4


# vLLM.


def test_vllm_preempts_and_everything_comes_to_its_end():
    gpu = Gpu(Shape.of("vllm", context=200, memory_tokens=200))
    calls = [gpu.ask(100, tokens_in=50, user=name) for name in "abc"]
    most = 0
    while gpu.engine.in_flight:
        gpu.wait(0.01)
        most = max(most, gpu.engine.memory_used)
    assert 150 < most <= 200
    assert [(one.state, one.tokens_out) for one in calls] == [("done", 100)] * 3
    record = gpu.engine.record
    assert record.preemptions == sum(one.preempted for one in calls) > 0
    assert calls[0].preempted == 0
    assert record.recomputed > 0
    # What was computed twice was asked for once.
    assert record.people == {name: {"calls": 1, "tokens_in": 50, "tokens_out": 100} for name in "abc"}


def test_a_preempted_call_is_the_first_to_come_back():
    gpu = Gpu(Shape.of("vllm", context=120, memory_tokens=120))
    first, second, third = gpu.ask(60, 50), gpu.ask(60, 50), gpu.ask(60, 50)
    while not second.preempted:
        gpu.wait(0.01)
    assert list(gpu.engine.waiting) == [second, third]
    assert (second.state, second.cached) == ("waiting", 0)
    gpu.finish()
    ends = [one.ended for one in (first, second, third)]
    assert ends == sorted(ends)


def test_a_prompt_that_does_not_fit_as_a_whole_waits_though_its_first_chunk_would():
    shape = Shape.of("vllm", context=100, memory_tokens=100, batch_tokens=20)
    running, waiting = call(50, 1, 50), call(60)
    assert batch.plan(shape, [running], [waiting]).admitted == []
    assert batch.plan(shape, [], [waiting]).work == {waiting: 20}


def test_more_calls_at_once_make_each_slower_and_all_of_them_faster():
    took = []
    for calls in (1, 16):
        gpu = Gpu(Shape.of("vllm"))
        for _ in range(calls):
            gpu.ask(100)
        took.append(gpu.finish())
    assert took[0] < took[1] < 16 * took[0] / 2


def test_a_bounded_queue_of_vllm_counts_the_slots_that_are_free():
    gpu = Gpu(Shape.of("vllm", slots=2, queue=1))
    gpu.ask(100)
    for _ in range(2):
        gpu.ask(100)
    with pytest.raises(Busy):
        gpu.ask(100)
    gpu.wait(1)
    assert (len(gpu.engine.running), len(gpu.engine.waiting)) == (2, 1)
    assert gpu.finish() > 0


# llama.cpp and Ollama.


def test_llamacpp_defers_what_finds_no_slot_and_serves_it_in_order():
    gpu = Gpu(Shape.of("llamacpp", loading_seconds=0))
    calls = [gpu.ask(20) for _ in range(10)]
    gpu.wait(0.1)  # slots are given out between two steps
    assert (len(gpu.engine.running), len(gpu.engine.waiting)) == (4, 6)
    gpu.finish()
    starts = [one.started for one in calls]
    assert starts == sorted(starts)
    assert gpu.engine.record.peak_running == 4


def test_ollama_loads_at_the_first_call_which_waits():
    gpu = Gpu(Shape.of("ollama", loading_seconds=60))
    gpu.wait(1000)
    assert not gpu.engine.loading
    first, second = gpu.ask(10), gpu.ask(10)
    gpu.wait(59)
    assert (first.state, second.state) == ("waiting", "waiting")
    gpu.finish()
    assert first.started is not None
    assert first.started - first.arrived >= 60
    assert gpu.ask(10).started is not None


# Remote.


def test_a_quota_says_when_there_is_enough_again():
    quota = Quota(Shape.of("remote", requests_per_minute=60, tokens_per_minute=None, burst_seconds=2), 0.0)
    quota.take(1, 1, 0.0)
    quota.take(1, 1, 0.0)
    with pytest.raises(Spent) as caught:
        quota.take(1, 1, 0.25)
    assert (caught.value.kind, caught.value.retry_after) == ("requests", 1)
    assert caught.value.seconds == pytest.approx(0.75)
    quota.take(1, 1, 1.25)


def test_tokens_are_counted_as_the_longer_of_prompt_and_answer():
    quota = Quota(Shape(tokens_per_minute=6000, burst_seconds=10), 0.0)
    quota.take(600, 100, 0.0)
    with pytest.raises(Spent) as caught:
        quota.take(100, 900, 1.0)
    assert (caught.value.kind, caught.value.requested, caught.value.retry_after) == ("tokens", 900, 4)
    quota.take(100, 900, 6.0)
    # What no bucket can hold goes when the bucket is full, and is paid for by those who come after.
    quota.take(50_000, 1, 100.0)
    with pytest.raises(Spent):
        quota.take(1, 1, 100.0 + 480)


def test_a_refused_call_costs_nothing():
    quota = Quota(Shape(requests_per_minute=60, tokens_per_minute=600, burst_seconds=60), 0.0)
    for _ in range(100):
        with contextlib.suppress(Spent):
            quota.take(600, 1, 0.0)
    for _ in range(59):
        quota.take(0, 0, 0.0)


def test_eight_calls_are_fine_at_a_remote_api_and_sixteen_are_too_many():
    for clients, refused in ((8, False), (16, True)):
        gpu = Gpu(Shape.of("remote"))
        for _ in range(6000):
            while gpu.engine.in_flight < clients:
                try:
                    gpu.ask(102, tokens_in=500)  # 2 seconds: 0.3, and 101 tokens at 60 a second
                except Spent:
                    break
            gpu.wait(0.01)
        assert bool(gpu.engine.record.refusals) is refused
        assert gpu.engine.record.served > 200


# The record.


def test_slots_are_busy_for_as_long_as_calls_hold_them():
    gpu = Gpu(Shape(slots=2, tokens_per_second=10))
    for _ in range(3):
        gpu.ask(11)  # a second each
    gpu.finish()
    assert gpu.engine.record.busy_seconds(gpu.engine.now) == pytest.approx(3, abs=0.05)
    levels = [tuple(change[1:]) for change in gpu.engine.record.changes]
    assert levels[0] == levels[-1] == (0, 0)
    assert max(levels) == (3, 2)
    times = [change[0] for change in gpu.engine.record.changes]
    assert times == sorted(times)


def test_forgetting_keeps_what_is_open():
    gpu = Gpu(Shape.of("fragile"))
    done, going = gpu.ask(1, user="a"), gpu.ask(100, user="b")
    gpu.wait(1)
    gpu.engine.forget()
    record = gpu.engine.record
    assert (done.state, list(gpu.engine.calls)) == ("done", [going])
    assert (record.peak_in_flight, record.served, record.people) == (1, 0, {})
    made = going.tokens_out
    gpu.finish()
    assert record.people == {"b": {"calls": 0, "tokens_in": 0, "tokens_out": 100 - made}}


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 60), st.integers(1, 60)),
        st.tuples(st.just("wait"), st.floats(0, 0.5), st.just(0)),
        st.tuples(st.just("leave"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("slots"), st.integers(1, 6), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(acts=ACTS, profile=st.sampled_from(list(profiles.SETTINGS)))
def test_whatever_is_asked_the_counts_agree_and_all_ends(acts: list[tuple[str, Any, int]], profile: str):
    changes = {"context": 120, "memory_tokens": 150} if profile == "vllm" else {}
    gpu = Gpu(Shape.of(profile, **changes, slots=3))
    taken: list[Call] = []
    for act, number, more in acts:
        if act == "ask":
            with contextlib.suppress(Busy, OutOfMemory, Spent):
                taken.append(gpu.ask(number, tokens_in=more))
        elif act == "wait":
            gpu.wait(number)
        elif act == "leave" and number < len(taken):
            gpu.engine.leave(taken[number], "gone")
        elif act == "slots":
            gpu.engine.become(gpu.engine.shape.changed({"slots": number}), reload=False)
        if changes:
            assert gpu.engine.memory_used <= 150
        open_calls = [one for one in taken if one.ended is None]
        assert gpu.engine.in_flight == len(open_calls) == gpu.engine.record.changes[-1][1]
    gpu.finish()
    record = gpu.engine.record
    assert all(one.tokens_out == one.goal for one in taken if one.state == "done")
    assert {one.state for one in taken} <= {"done", "gone"}
    assert record.tokens_out == sum(one.tokens_out for one in taken)
    assert record.tokens_in == sum(one.read for one in taken)


# Settings and answers.


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"profile": "h100"}, "profile"),
        ({"profile": None}, "profile"),
        ({"profile": "vllm", "step_seconds": -1}, "step_seconds"),
        ({"profile": "vllm", "step_seconds": 1e-6}, "step_seconds"),
        ({"profile": "vllm", "memory_tokens": 100}, "memory_tokens"),
        ({"profile": "vllm", "memory_full": "wait"}, "memory_full"),
        ({"profile": "vllm", "batch_tokens": 0}, "batch_tokens"),
        ({"profile": "remote", "requests_per_minute": 0}, "requests_per_minute"),
        ({"profile": "remote", "tokens_per_minute": 1.5}, "tokens_per_minute"),
        ({"profile": "fragile", "when_full": "explode"}, "when_full"),
        ({"memory_full": "preempt"}, "memory_full"),
        ({"stream_seconds": "0.1"}, "stream_seconds"),
    ],
)
def test_what_no_server_can_be_is_named(changes: dict[str, Any], named: str):
    with pytest.raises(BadShape, match=named):
        Shape().changed(changes)


def test_a_profile_replaces_what_was_set_before():
    shape = Shape(slots=9, answer="echo").changed({"profile": "llamacpp", "slots": 5})
    assert (shape.profile, shape.flavour, shape.slots, shape.answer) == ("llamacpp", "llamacpp", 5, "summary")
    assert shape == Shape.of("llamacpp", slots=5)


@pytest.mark.parametrize(
    ("said", "length"),
    [("Hello.", 70), ("Please answer in 7 tokens, thanks.", 7), ("Answer in 900 tokens", 900)],
)
def test_the_length_of_an_answer_can_be_asked_for(said: str, length: int):
    text = answers.write(Shape(answer="asked"), [{"role": "user", "content": said}], 70)
    assert tokens.count(text) == length


# Over HTTP.


class Server:
    """A playground's model server, and people who ask it."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url, self.http = url, http

    def be(self, profile: str, **changes: Any) -> None:
        asked = {"profile": profile, "answer": "asked", "forget": True} | changes
        answer = self.http.post(f"{self.url}/control/model", json=asked)
        assert answer.status_code == 200, answer.text

    def truth(self) -> dict[str, Any]:
        return self.http.get(f"{self.url}/control/model").json()

    def ask(self, length: int = 5, user: str = "u", *, stream: bool = True) -> httpx.Response:
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": length}
        body |= {"user": user, "stream": stream}
        return self.http.post(f"{self.url}/v1/chat/completions", json=body)

    def wait_for(self, **expected: Any) -> dict[str, Any]:
        def holds() -> dict[str, Any] | None:
            truth = self.truth()
            return truth if all(truth[name] == value for name, value in expected.items()) else None

        return wait_for(holds, what=f"the model server to show {expected}")

    @contextlib.contextmanager
    def asking(self, calls: int, length: int = 20_000) -> Iterator[threading.Event]:
        """So many streams, read until they end, or the block does or the event is set."""
        stop = threading.Event()

        def read() -> None:
            body = {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": length, "stream": True}
            with httpx.stream(
                "POST", f"{self.url}/v1/chat/completions", json=body, timeout=60, trust_env=False
            ) as answer:
                for _ in answer.iter_raw():
                    if stop.is_set():
                        return

        with ThreadPoolExecutor(max(1, calls)) as pool:
            reading = [pool.submit(read) for _ in range(calls)]
            try:
                yield stop
            finally:
                stop.set()
                # Those that wait for their turn read nothing; each that leaves lets one of them in.
                for one in reading:
                    one.result(50)


def text_of(answer: httpx.Response) -> str:
    """What a stream says, which must be whole."""
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert events[-1] == "[DONE]", answer.text
    chunks = [json.loads(event)["choices"][0] for event in events[:-1]]
    assert chunks[-1]["finish_reason"] == "stop"
    return "".join(chunk["delta"].get("content") or "" for chunk in chunks)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(Config(port=free_port(), database_url=None)) as playground:
        yield playground.url


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    with httpx.Client(timeout=60, trust_env=False) as http:
        server = Server(url, http)
        server.wait_for(in_flight=0)
        http.post(f"{url}/control/reset").raise_for_status()
        yield server


@pytest.mark.parametrize("profile", list(profiles.SETTINGS))
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_every_profile_answers_whole(server: Server, profile: str, stream: bool):
    server.be(profile, loading_seconds=0)
    answer = server.ask(12, "ann", stream=stream)
    said = text_of(answer) if stream else answer.json()["choices"][0]["message"]["content"]
    assert tokens.count(said) == 12
    truth = server.wait_for(in_flight=0)
    tokens_in = truth["calls"][0]["tokens_in"]
    assert truth["people"] == {"ann": {"calls": 1, "tokens_in": tokens_in, "tokens_out": 12}}
    times = [truth["calls"][0][name] for name in ("arrived", "started", "first", "ended")]
    assert times == sorted(times)
    assert truth["since"] <= times[0] <= times[-1] <= truth["now"]


def test_fragile_answers_500_to_one_too_many_and_the_others_run(server: Server):
    server.be("fragile", slots=3)
    with server.asking(3):
        server.wait_for(running=3)
        refused = server.ask()
        assert refused.status_code == 500
        assert "CUDA out of memory" in refused.text
        truth = server.truth()
        assert (truth["running"], truth["refusals"]) == (3, {"out_of_memory": 1})
    truth = server.wait_for(in_flight=0)
    assert (truth["peak_in_flight"], truth["refused"], truth["ended"]["gone"]) == (3, 1, 3)
    assert truth["busy_slot_seconds"] > 0
    assert text_of(server.ask())


def test_vllm_preempts_and_no_answer_loses_a_word(server: Server):
    server.be("vllm", **QUICK, context=400, memory_tokens=600)
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda n: text_of(server.ask(300, f"u{n}")), range(6)))
    assert len(set(said)) == 1
    assert tokens.count(said[0]) == 300
    truth = server.wait_for(in_flight=0)
    assert truth["preemptions"] > 0
    assert {name: person["tokens_out"] for name, person in truth["people"].items()} == {
        f"u{n}": 300 for n in range(6)
    }
    metrics = server.http.get(f"{server.url}/metrics").text
    assert f'vllm:num_preemptions_total{{model_name="built-in"}} {float(truth["preemptions"])}' in metrics
    assert 'vllm:kv_cache_usage_perc{model_name="built-in"} 0.0' in metrics


def test_vllm_with_a_bounded_queue_is_busy_when_it_is_full(server: Server):
    server.be("vllm", slots=1, queue=1)
    with server.asking(2):
        server.wait_for(running=1, waiting=1)
        refused = server.ask()
        assert refused.status_code == 503
        assert refused.json()["error"]["message"].startswith("The engine is currently busy")
        metrics = server.http.get(f"{server.url}/metrics").text
        assert 'vllm:num_requests_running{model_name="built-in"} 1.0' in metrics
        assert 'vllm:num_requests_waiting{model_name="built-in"} 1.0' in metrics
    assert server.wait_for(in_flight=0)["refusals"] == {"busy": 1}


def test_llamacpp_loads_and_then_defers(server: Server):
    server.be("llamacpp", loading_seconds=600)
    refused = server.ask()
    assert (refused.status_code, refused.json()["error"]["message"]) == (503, "Loading model")
    server.be("llamacpp", loading_seconds=0)
    with server.asking(6):
        server.wait_for(running=4, waiting=2)
        metrics = server.http.get(f"{server.url}/metrics").text
        assert "llamacpp:requests_processing 4.0" in metrics
        assert "llamacpp:requests_deferred 2.0" in metrics
        assert server.http.get(f"{server.url}/slots?fail_on_no_slot=1").status_code == 503
    server.wait_for(in_flight=0)


def test_ollama_keeps_the_first_call_until_its_model_is_loaded(server: Server):
    server.be("ollama", loading_seconds=0.3)
    assert server.http.get(f"{server.url}/health").status_code == 200
    assert text_of(server.ask())
    one = server.truth()["calls"][0]
    assert one["started"] - one["arrived"] >= 0.3


def test_remote_says_when_to_come_again_and_takes_who_does(server: Server):
    server.be("remote", requests_per_minute=60, burst_seconds=1, first_token_seconds=0)
    assert server.ask().status_code == 200
    refused = server.ask()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert error["message"].startswith("Rate limit reached for m on requests per min (RPM): Limit 60")
    wait_for(lambda: server.ask().status_code == 200, what="the quota to fill again")
    assert server.truth()["refusals"]["rate_limited"] >= 1


def test_remote_allows_so_many_calls_at_once(server: Server):
    server.be("remote", slots=2, tokens_per_minute=None)
    with server.asking(2):
        server.wait_for(running=2)
        refused = server.ask()
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    server.wait_for(in_flight=0)
    assert server.truth()["peak_in_flight"] == 2


@pytest.mark.parametrize("profile", ["fragile", "ollama", "remote"])
@pytest.mark.parametrize("path", ["metrics", "slots"])
def test_some_servers_have_no_gauges(server: Server, profile: str, path: str):
    server.be(profile)
    assert server.http.get(f"{server.url}/{path}").status_code == 404


def test_who_leaves_frees_slot_and_memory_at_once_and_pays_for_what_was_made(server: Server):
    server.be("vllm", slots=1)
    with server.asking(1) as stop:
        wait_for(lambda: server.truth()["people"].get("", {}).get("tokens_out", 0) > 2, what="some tokens")
        assert server.truth()["memory_used"] > 0
        stop.set()
        truth = server.wait_for(in_flight=0)
    assert truth["memory_used"] == 0
    one = truth["calls"][0]
    assert (one["state"], truth["people"][""]["tokens_out"]) == ("gone", one["tokens_out"])
    assert truth["changes"][-1][1:] == [0, 0]
    assert truth["changes"][-2][1:] != [0, 0]


def test_a_look_at_the_record_can_be_short(server: Server):
    server.be("fragile")
    for _ in range(3):
        server.ask(1)
    server.wait_for(in_flight=0)
    short = server.http.get(f"{server.url}/control/model?latest=1").json()
    assert (len(short["calls"]), len(short["changes"]), short["served"]) == (1, 1, 3)


@pytest.mark.parametrize("asked", [{"forget": 1}, {"profile": "gpu"}, {"profile": "vllm", "context": 10**6}])
def test_a_bad_order_changes_nothing(server: Server, asked: dict[str, Any]):
    before = server.truth()["shape"]
    answer = server.http.post(f"{server.url}/control/model", json=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_shape")
    assert server.truth()["shape"] == before
