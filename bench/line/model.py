"""The model server: the stand-in in a process of its own, its profile, and its record of what truly went on."""

import contextlib
import hashlib
import pathlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from bench import machine
from bench.line.fairness import Span
from bench.line.trace import FLOODER, PEOPLE, Ask
from bot.api import TEAM
from tasks import plan, recipes
from tasks.text import document
from tests import services

PROFILES = ("fragile", "vllm", "llamacpp", "ollama", "remote")
CONTEXT = 8192
# As many calls and change points as it keeps.
REMEMBERED = 20_000
# Whoever the server was told of, and is none of ours.
UNKNOWN = ""
_RECIPE = recipes.load().default


@dataclass(frozen=True)
class Record:
    """What the server saw since its record was begun anew. Times are seconds since the epoch."""

    # Calls that wait at the server are in flight too.
    in_flight: list[tuple[float, float]]
    peak: int
    refused: dict[str, int]
    # When each call came that was refused.
    refusals: list[float]
    # Every call that was served, in whole or in part.
    spans: list[Span]

    def tokens_between(self, begin: float, end: float) -> float:
        """Tokens of answers that came between two moments, each call's evenly over its time."""
        total = 0.0
        for _, begun, ended, _, tokens in self.spans:
            both = min(end, ended) - max(begin, begun)
            total += tokens * max(0.0, both) / max(ended - begun, 1e-9)
        return total


class Model:
    """A hand on the stand-in's control calls."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.url = f"{client.base_url}".rstrip("/") + "/v1"

    def become(self, profile: str) -> None:
        """Behave like one of PROFILES, and answer with as many tokens as the text asks for; loads the model."""
        self._post("model", profile=profile, answer="asked")
        first = Ask(0, 0.0, FLOODER, 1, 1)

        def loaded() -> bool:
            answer = self._client.post("/v1/chat/completions", json=body(first))
            return answer.status_code == 200

        services.wait_for(loaded, 30, f"{profile} answers")

    def begin(self) -> None:
        """Begin the record anew, once nothing is left of what was before."""
        services.wait_for(lambda: self._state(0)["in_flight"] == 0, 60, "the server is idle")
        self._post("model", forget=True)

    def record(self) -> Record:
        """What went on since `begin`."""
        return recorded(self._state(REMEMBERED))

    def _state(self, latest: int) -> dict[str, Any]:
        response = self._client.get("/control/model", params={"latest": latest})
        response.raise_for_status()
        return dict(response.json())

    def _post(self, call: str, **body: Any) -> dict[str, Any]:
        response = self._client.post(f"/control/{call}", json=body)
        response.raise_for_status()
        return dict(response.json())


def recorded(state: dict[str, Any]) -> Record:
    """The record in an answer of `GET /control/model`."""
    calls = state["calls"]
    return Record(
        in_flight=[(at, in_flight) for at, in_flight, _ in state["changes"]],
        peak=state["peak_in_flight"],
        refused=state["refusals"],
        refusals=[call["arrived"] for call in calls if call["state"] == "refused"],
        spans=[
            (
                NAMES.get(call["user"], UNKNOWN),
                call["started"],
                call["ended"] or state["now"],
                call["tokens_in"],
                call["tokens_out"],
            )
            for call in calls
            if call["started"] is not None
        ],
    )


def body(ask: Ask) -> dict[str, Any]:
    """The very request that Threadline would send for an ask."""
    (step,) = plan.first_steps(_RECIPE, [document.bare(ask.text())], None, CONTEXT)
    return {
        "model": "fixed",
        "messages": step.messages,
        "max_tokens": step.max_tokens,
        "temperature": _RECIPE.temperature,
        "user": opaque(ask.person),
    }


def opaque(person: str) -> str:
    """How Threadline names a person to a model server."""
    return hashlib.sha256(f"{TEAM}/{person}".encode()).hexdigest()[:16]


NAMES = {opaque(person): person for person in PEOPLE}


@contextlib.contextmanager
def server(profile: str) -> Iterator[Model]:
    """A stand-in of its own, with a profile."""
    url = f"http://127.0.0.1:{services.free_port()}"
    environment = {"PYTHONPATH": str(machine.ROOT), "PLAYGROUND_PORT": url.rpartition(":")[2]}
    with (
        services.folder("model") as folder,
        process("playground", folder, ["-m", "playground"], f"{url}/health", environment),
        httpx.Client(base_url=url, timeout=30, trust_env=False) as client,
    ):
        model = Model(client)
        model.become(profile)
        yield model


@contextlib.contextmanager
def process(
    name: str, folder: pathlib.Path, words: list[str], address: str, environment: dict[str, str] | None = None
) -> Iterator[services.Server]:
    """A Python process of ours; with an address, it answers there before this goes on."""
    place = folder / name
    place.mkdir()
    env = {"PYTHONPATH": str(machine.ROOT), **(environment or {})}
    made = services.Server(
        name,
        [sys.executable, *words],
        address,
        place,
        ready=lambda: not address or _answers(address),
        env=env,
        start_limit=60,
    )
    with made.running():
        yield made


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(address, timeout=5, trust_env=False).status_code == 200
    return False
