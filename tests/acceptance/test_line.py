"""The line as a whole: three model servers, four infer processes of 32 threads each, and the truth from the servers."""

import contextlib
import hashlib
import pathlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from playground import server
from playground.config import Config
from tests import services
from tests.acceptance import stack as stacks
from tests.acceptance.stack import ADA, GENERAL, MINJI, Stack

pytestmark = pytest.mark.timeout(300)

TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."

LINE = """
[[backends]]
name = "gpu"
url = "{gpu}/v1"
model = "built-in"
limit = 3
recipes = ["summarize", "key-points", "ask", "action-items", "classify", "extract"]

[[backends]]
name = "wrong"
url = "{learned}/v1"
model = "built-in"
api_key = "not-the-key"
recipes = ["sentiment"]

[[backends]]
name = "learned"
url = "{learned}/v1"
model = "built-in"
api_key = "the-right-key"
recipes = ["translate"]

[people.other]
weight = 2.0
"""


@pytest.fixture(scope="module")
def learned() -> Iterator[httpx.Client]:
    """A second model server, which wants a key."""
    config = Config(port=services.free_port())
    with server.running(config) as running, httpx.Client(base_url=running.url, timeout=30) as http:
        yield http


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def _running(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    valkey_url: str,
    learned: httpx.Client,
) -> Iterator[Stack]:
    folder: pathlib.Path = tmp_path_factory.mktemp("line")
    file = folder / "line.toml"
    settings = {"LINE_FILE": str(file), "INFER_CONCURRENCY": "32", "MOST_OPEN": "100"}
    settings |= dict.fromkeys(("LLM_URL", "LLM_API_KEY", "LLM_MODEL", "LLM_LIMIT", "LLM_CONTEXT"), "")
    with contextlib.ExitStack() as held:
        if request.param == "sqlite":
            database = f"sqlite:///{folder / 'threadline.db'}"
        else:
            url = request.getfixturevalue("postgres_url")
            database = held.enter_context(services.postgres_database(url))

        def write(gpu: str) -> None:
            file.write_text(LINE.format(gpu=gpu, learned=str(learned.base_url).rstrip("/")))

        running = held.enter_context(
            stacks.running(database, valkey_url, folder, socket_mode=False, before=write, **settings)
        )
        for number in (2, 3, 4):
            running.start(f"infer{number}", "tasks", "infer")
        yield running


@pytest.fixture
def stack(_running: Stack, learned: httpx.Client) -> Stack:
    _running.clear()
    learned.post("/control/reset").raise_for_status()
    model(learned, api_key="the-right-key")
    return _running


def model(http: httpx.Client, **shape: Any) -> dict[str, Any]:
    response = http.post("/control/model", json={"forget": True, **shape})
    assert response.status_code == 200, response.text
    return dict(response.json())


def ask(stack: Stack, number: int, recipe: str, token: str = stacks.API_TOKEN) -> str:
    body = {"text": f"{number}. {TEXT}", "recipe": recipe}
    answer = stack.api("POST", "/api/analyses", json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def state(stack: Stack, job: str) -> str:
    return str(stack.api("GET", f"/api/analyses/{job}").json()["state"])


def test_in_flight_never_exceeds_the_limit_at_any_instant(stack: Stack) -> None:
    """The server breaks at the fourth call, so one call too many would be refused (I5)."""
    model(stack.http, slots=3, queue=0, when_full="out_of_memory", answer="asked")
    stack.hold_model()
    asked = [ask(stack, number, "summarize") for number in range(60)]
    stack.wait(lambda: stack.look("model")["running"] == 3, "as many as may run do")
    stack.let_model_go(tokens_per_second=4000)
    stack.wait(lambda: all(state(stack, job) == "done" for job in asked), "all are answered", 90)
    truth = stack.look("model")
    assert truth["served"] == 60
    assert truth["refused"] == 0
    assert truth["peak_in_flight"] == 3
    assert max(in_flight for _, in_flight, _ in truth["changes"]) == 3


def test_a_cancelled_call_frees_the_server_and_leaves_the_line(stack: Stack) -> None:
    model(stack.http, slots=3, answer="fixed", text="word " * 4000, tokens_per_second=20)
    running = [ask(stack, number, "summarize") for number in range(3)]
    stack.wait(lambda: stack.look("model")["running"] == 3, "three run")
    waiting = [ask(stack, number, "summarize") for number in range(2)]
    stack.wait(lambda: all(state(stack, job) == "waiting" for job in waiting), "two wait")
    # One that waits is gone at once, and never reaches the server.
    assert stack.api("DELETE", f"/api/analyses/{waiting[0]}").json()["state"] == "cancelled"
    assert stack.api("DELETE", f"/api/analyses/{running[0]}").json()["state"] == "cancelled"
    stack.wait(lambda: stack.look("model")["ended"].get("gone") == 1, "its stream is closed")
    stack.wait(lambda: state(stack, waiting[1]) == "running", "the next has its slot")
    for job in (*running[1:], waiting[1]):
        stack.api("DELETE", f"/api/analyses/{job}")
    stack.wait(lambda: stack.look("model")["in_flight"] == 0, "the server is free")
    assert len(stack.look("model")["calls"]) == 4


def test_the_button_stops_a_running_call_and_only_its_owner_may_press_it(stack: Stack) -> None:
    model(stack.http, slots=3, answer="fixed", text="word " * 4000, tokens_per_second=20)
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(lambda: stack.look("model")["running"] == 1, "it runs")
    card = stack.wait(
        lambda: [one for one in stack.replies(GENERAL, ts, "card") if "working" in one["text"]], "the card"
    )[0]
    press = {"channel": GENERAL, "ts": card["ts"], "action_id": "cancel"}
    stack.act("press", user=MINJI, **press)
    assert stack.look("model")["running"] == 1
    stack.act("press", user=ADA, **press)
    stack.wait(lambda: stack.look("model")["ended"].get("gone") == 1, "its stream is closed")
    stack.wait(lambda: "cancelled" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says so")


def test_wrong_settings_of_one_server_harm_no_other(stack: Stack, learned: httpx.Client) -> None:
    """One clear line to operators and on the card; the request keeps its place."""
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> sentiment {TEXT}")
    stack.wait(
        lambda: any(
            "does not accept our settings" in one["text"] for one in stack.replies(GENERAL, ts, "card")
        ),
        "the card says so",
    )
    answered = [ask(stack, 1, "summarize"), ask(stack, 2, "translate")]
    stack.wait(lambda: all(state(stack, job) == "done" for job in answered), "the others answer")
    told = [line for line in stack.logs().splitlines() if "backend.trouble" in line and '"wrong"' in line]
    assert len([line for line in told if '"error"' in line]) == 1
    assert "not-the-key" not in stack.logs()
    # Mended, and the request is answered where it stood.
    model(learned, api_key="not-the-key")
    stack.answer(GENERAL, ts)


def test_a_learned_limit_finds_its_way_and_answers_everybody(stack: Stack, learned: httpx.Client) -> None:
    """The server breaks above five calls, and nobody has said so; every request is answered all the same."""
    model(
        learned,
        slots=5,
        queue=0,
        when_full="out_of_memory",
        answer="fixed",
        text="An answer.",
        first_token_seconds=3600,
        api_key="the-right-key",
    )
    asked = [ask(stack, number, "translate") for number in range(80)]
    # Nobody is answered before all stand in line: where few wait, a limit has no reason to grow.
    stack.wait(
        lambda: all(state(stack, job) in {"waiting", "running"} for job in asked), "all are in line", 60
    )
    learned.post("/control/model", json={"first_token_seconds": 0.4}).raise_for_status()
    stack.wait(lambda: all(state(stack, job) == "done" for job in asked), "all are answered", 120)
    truth = learned.get("/control/model").json()
    assert truth["served"] == 80
    # It began with two, and grew.
    assert truth["peak_in_flight"] > 2
    lines = stack.api("GET", "/api/line").json()["backends"]
    [about] = [one for one in lines if one["name"] == "learned"]
    assert about["learned"] is True


def test_weight_two_is_served_twice_as_much_while_both_wait(stack: Stack) -> None:
    model(stack.http, slots=3, answer="fixed", text="An answer of some words.", first_token_seconds=0.05)
    # Nobody is served before all stand in line.
    stack.act("faults/model", kind="loading", times=None, seconds=600)
    heavy, plain = "another-token-0123456789", stacks.API_TOKEN
    asked = [
        (ask(stack, number, "summarize", token), token) for number in range(30) for token in (plain, heavy)
    ]

    def states() -> set[str]:
        return {_state_of(stack, job, token) for job, token in asked}

    stack.wait(lambda: states() <= {"waiting", "running"}, "all stand in line", 60)
    assert stack.http.delete("/control/faults").status_code == 200
    stack.wait(lambda: states() == {"done"}, "all are answered", 60)
    served = [call["user"] for call in stack.look("model")["calls"] if call["state"] == "done"]
    assert len(served) == 60
    twice = hashlib.sha256(b"api/other").hexdigest()[:16]
    # While both wait, two of three; a call may overtake another on its way.
    assert 17 <= served[:30].count(twice) <= 23


def _state_of(stack: Stack, job: str, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    return str(stack.api("GET", f"/api/analyses/{job}", headers=headers).json()["state"])
