"""Delivery beside the channel: by direct message where the channel takes nothing, and by callback."""

import contextlib
import http.server
import itertools
import json
import pathlib
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import pytest

from db import outcomes, posts
from db.models import Job, Post
from db.states import JobState, Origin, PostKind, PostState
from tasks import deadman, originals
from tasks.deliver import callback, stage
from tasks.deliver.outcome import Failed, Shown
from tests.deliveries import run
from tests.fakes import NOW, Clock, Slack, accepted, do, in_line, rows, set_row, slack_error, the

ROOT = pathlib.Path(__file__).resolve().parents[2]

CHANNEL_TROUBLES = ["not_in_channel", "channel_not_found", "is_archived", "restricted_action"]


class Words(http.server.BaseHTTPRequestHandler):
    """Slack's end of a response_url."""

    heard: list[dict]

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args) -> None:  # noqa: A002 - The library's name.
        pass


@contextlib.contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a real server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def response_url() -> Iterator[tuple[str, list[dict]]]:
    """An address that hears what is said to one person only, and what it heard."""
    heard: list[dict] = []
    handler = type("Handler", (Words,), {"heard": heard})
    with serving(handler) as url:
        yield f"{url}/r", heard


def answer(resources, job: Job, text: str = "Yes.") -> None:
    do(resources.engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), text, truncated=False, now=NOW))


@pytest.mark.parametrize("reason", CHANNEL_TROUBLES)
def test_where_the_channel_takes_nothing_the_answer_comes_by_direct_message(
    resources, slack: Slack, bell, clock, reason
):
    slack.closed["C1"] = reason
    job = in_line(resources.engine, thread_ts="8.8")
    answer(resources, job)
    run(resources, clock, lane="slack/C1")
    assert ("deliver", "slack/D-UANNA") in bell.rung
    run(resources, clock, lane="slack/D-UANNA")
    card, result = slack.messages
    assert (card["channel"], card["thread_ts"]) == ("D-UANNA", None)
    assert "<#C1>" in card["text"]
    assert (result["channel"], result["thread_ts"]) == ("D-UANNA", card["ts"])
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_one_person_is_told_in_the_channel_why_the_answer_is_elsewhere(
    resources, slack: Slack, clock, response_url
):
    url, heard = response_url
    slack.closed["C1"] = "not_in_channel"
    accepted(resources.engine, response_url=url, origin=Origin.COMMAND)
    run(resources, clock, lane="slack/C1")
    run(resources, clock, lane="slack/D-UANNA")
    run(resources, clock, lane="slack/C1", times=3)
    [word] = heard
    assert word["response_type"] == "ephemeral"
    assert "/invite @Threadline" in word["text"]
    assert "not_in_channel" in word["text"]


def test_a_bot_that_was_removed_after_its_card_answers_by_direct_message(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    run(resources, clock, lane="slack/C1")
    slack.closed["C1"] = "not_in_channel"
    answer(resources, job)
    run(resources, clock, lane="slack/C1", times=3)
    run(resources, clock, lane="slack/D-UANNA", times=2)
    assert [
        one["metadata"]["event_payload"]["kind"] for one in slack.messages if one["channel"] == "D-UANNA"
    ] == [
        "card",
        "result",
    ]
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_direct_message_that_takes_nothing_either_is_the_end(resources, slack: Slack, clock):
    slack.closed.update({"C1": "not_in_channel", "D-UANNA": "restricted_action"})
    job = in_line(resources.engine)
    answer(resources, job)
    for _ in range(5):
        run(resources, clock, lane="slack/C1")
        run(resources, clock, lane="slack/D-UANNA")
    assert {post.state for post in rows(resources.engine, Post)} == {PostState.DROPPED}
    assert the(resources.engine, Job, job.id).state is JobState.DONE
    assert len(slack.calls) < 20


@pytest.mark.parametrize("origin", [Origin.DIRECT, Origin.API])
def test_who_has_no_other_place_is_not_moved(resources, slack: Slack, clock, origin):
    slack.closed["C1"] = "channel_not_found"
    accepted(resources.engine, origin=origin)
    run(resources, clock, lane="slack/C1", times=2)
    assert slack.called("conversations_open") == []
    assert rows(resources.engine, Post)[0].state is PostState.DROPPED


def test_a_direct_message_that_cannot_be_opened_now_is_opened_later(resources, slack: Slack, clock):
    slack.closed["C1"] = "not_in_channel"
    slack.fail("conversations_open", slack_error("ratelimited", 429, {"Retry-After": "2"}))
    accepted(resources.engine)
    run(resources, clock, lane="slack/C1", times=2)
    run(resources, clock, lane="slack/D-UANNA")
    assert [one["channel"] for one in slack.messages] == ["D-UANNA"]


# Callbacks


class Service:
    """The service behind a callback address: answers with these, then 200."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.heard: list[tuple[str, dict]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.heard.append((request.headers["idempotency-key"], json.loads(request.content)))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, headers={"location": "http://elsewhere.test/"})


def calls_back(resources, clock: Clock, service: Service, times: int = 1) -> None:
    with httpx.Client(transport=httpx.MockTransport(service)) as client:
        resources.__dict__["http"] = client
        run(resources, clock, lane="callback/a.test", times=times)


def api_job(resources, **changes) -> Job:
    return in_line(
        resources.engine, origin=Origin.API, channel=None, callback_url="https://a.test/b", **changes
    )


def test_a_callback_brings_the_result_once(resources, clock):
    job = api_job(resources)
    answer(resources, job)
    service = Service()
    calls_back(resources, clock, service, times=3)
    assert service.heard == [
        (
            f"{job.id}-1",
            {
                "id": job.id,
                "state": "done",
                "recipe": "summarize",
                "result": "Yes.",
                "truncated": False,
                "error": None,
            },
        )
    ]
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_callback_brings_the_values_that_the_row_hides(resources, clock):
    job = api_job(resources)
    sealed = originals.seal(resources.settings, job.id, {"PHONE-1": "010-1234-5678"})
    set_row(resources.engine, Job, job.id, originals=sealed)
    answer(resources, job, "[PHONE-1]")
    service = Service()
    calls_back(resources, clock, service)
    assert service.heard[0][1]["result"] == "010-1234-5678"


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_a_callback_tells_of_other_ends_too(resources, clock, end):
    job = api_job(resources)
    if end == "fail":
        do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, NOW))
    else:
        do(resources.engine, outcomes.cancel, job.id, NOW)
    service = Service()
    calls_back(resources, clock, service)
    [(_, body)] = service.heard
    expected = ("failed", "bug") if end == "fail" else ("cancelled", None)
    assert (body["state"], body["error"], body["result"]) == (*expected, None)


@pytest.mark.parametrize("trouble", [500, 503, 408, 429, httpx.ConnectError("no"), httpx.ReadTimeout("slow")])
def test_a_callback_is_tried_again_with_the_same_key(resources, clock, trouble):
    job = api_job(resources)
    answer(resources, job)
    service = Service(trouble, trouble)
    calls_back(resources, clock, service, times=4)
    assert [key for key, _ in service.heard] == [f"{job.id}-1"] * 3
    assert rows(resources.engine, Post)[0].state is PostState.SHOWN


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_a_callback_that_is_refused_is_not_tried_again(resources, clock, status):
    job = api_job(resources)
    answer(resources, job)
    service = Service(status)
    calls_back(resources, clock, service, times=3)
    assert len(service.heard) == 1
    [post] = rows(resources.engine, Post, kind=PostKind.CALLBACK)
    assert (post.state, post.error) == (PostState.DROPPED, f"http_{status}")
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_callback_that_never_works_ends(resources, clock):
    job = api_job(resources)
    answer(resources, job)
    service = Service(*[503] * 50)
    calls_back(resources, clock, service, times=30)
    assert len(service.heard) == stage.MOST_TRIES
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_what_follows_the_status_of_an_answer_is_not_waited_for(resources, clock, service_that_says):
    url = service_that_says([b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nthe rest never comes"])
    assert isinstance(callback.send(real(resources), called_back_at(resources, clock, url)), Shown)


def test_a_service_that_answers_byte_by_byte_takes_no_longer_than_all_others(
    resources, clock, service_that_says
):
    """Else the worker that waits for it is taken for frozen and ended."""
    url = service_that_says(itertools.chain([b"HTTP/1.1 200 OK\r\nA: "], itertools.repeat(b"a")))
    work = called_back_at(resources, clock, url)
    seconds = itertools.count(step=2.5)
    outcome = callback.send(real(resources), work, lambda: next(seconds))
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "ReadTimeout"


def test_a_service_that_never_reads_takes_no_longer_than_all_others(resources, clock, service_that_says):
    url = service_that_says([])
    work = called_back_at(resources, clock, url, "word " * 50_000)
    seconds = itertools.count(step=2.5)
    outcome = callback.send(real(resources), work, lambda: next(seconds))
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "WriteTimeout"


def test_the_longest_callback_ends_well_before_its_lane_is_given_to_others():
    assert stage.LEASE - deadman.MARGIN > callback.TOTAL + 3 * callback.CONNECT


def test_the_service_in_the_how_to_takes_a_callback_once(resources, clock, capsys):
    """Also when it comes twice, and from nobody who does not know its secret."""
    page = (ROOT / "docs" / "how-to" / "http-api.md").read_text("utf-8")
    example = re.search(r"```python\n(.*?)http\.server\.ThreadingHTTPServer", page, re.DOTALL)
    assert example
    made: dict[str, Any] = {}
    exec(example[1], made)
    with serving(made["Callbacks"]) as url:
        work = called_back_at(resources, clock, f"{url}/done?secret={made['SECRET']}")
        assert isinstance(callback.send(real(resources), work), Shown)
        assert isinstance(callback.send(resources, work), Shown)
        assert capsys.readouterr().out == f"{work.job.id} done Yes.\n"
        assert resources.http.post(f"{url}/done?secret=guessed", json={}).status_code == 403
        assert capsys.readouterr().out == ""


def called_back_at(resources, clock: Clock, url: str, words: str = "Yes.") -> posts.Work:
    job = in_line(resources.engine, origin=Origin.API, channel=None, callback_url=url)
    answer(resources, job, words)
    work = do(resources.engine, posts.claim, posts.callback_lane(url), clock(), stage.LEASE)
    assert work is not None
    return work


def real(resources):
    """With connections of its own, as a worker has them."""
    resources.__dict__["http"] = httpx.Client(trust_env=False, timeout=10)
    return resources


@pytest.fixture
def service_that_says() -> Iterator[Callable[[Iterable[bytes]], str]]:
    """An address that says these, one after the other, whatever it is asked, and closes when the other side does."""
    ended = threading.Event()

    def speak(listening: socket.socket, words: Iterable[bytes]) -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            for word in words:
                connection.sendall(word)
            ended.wait(60)

    with contextlib.ExitStack() as stack:

        def start(words: Iterable[bytes]) -> str:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            thread = threading.Thread(target=speak, args=(listening, words))
            thread.start()
            stack.callback(thread.join)
            return f"http://127.0.0.1:{listening.getsockname()[1]}/done"

        yield start
        ended.set()
