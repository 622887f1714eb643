"""What a model server is like: how many calls at once, how fast, how much memory, what it answers."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from playground.model import profiles

FLAVOURS = ("vllm", "llamacpp", "ollama", "sglang", "tgi", "naive", "openai")
ANSWERS = ("summary", "echo", "instructions", "fixed", "asked")
FULL_MEMORY = ("out_of_memory", "wait", "preempt")
FULL_QUEUE = ("busy", "out_of_memory", "rate_limited")

_SHORTEST_STEP = 0.001  # seconds; shorter steps would cost the stand-in itself too much


class BadShape(ValueError):
    """A setting that no server can have; the text names it."""


@dataclass(frozen=True)
class Shape:
    """The settings of `POST /control/model`. Rates are tokens per second for each call; 0 is at once.

    With `step_seconds` above 0 all running calls share one engine, which makes one token for each in a step:
    see `batch.step_seconds` for how long that takes. `tokens_per_second` and `first_token_seconds` do not count
    then, and `prefill_tokens_per_second` is the rate of the whole server.
    """

    profile: str = ""  # the profile it began as
    slots: int = 4
    queue: int | None = None  # calls that may wait for a slot; None is no limit, as in vLLM by default
    when_full: str = "busy"  # what a call gets that finds no place in the queue
    memory_tokens: int | None = None  # KV cache, shared by all running calls; None is no limit
    memory_full: str = "out_of_memory"  # or "wait"; "preempt", as vLLM does, goes with step_seconds
    tokens_per_second: float = 0
    prefill_tokens_per_second: float = 0
    first_token_seconds: float = 0  # before the first token, besides the prefill
    step_seconds: float = 0  # of one step of a batching engine, whatever is in it: reading the weights
    sequence_seconds: float = 0  # added by each sequence in the step
    kv_token_seconds: float = 0  # added by each token of KV cache that the step reads
    batch_tokens: int = 2048  # prompt and new tokens in one step
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst_seconds: float = 2  # so many seconds' worth of the two above may be used at once
    stream_seconds: float = 0.02  # between two pieces of one stream
    loading_seconds: float = 0  # from the moment the shape is set; for Ollama from the first call on
    context: int = 32_768  # tokens of prompt and answer together
    flavour: str = "vllm"
    answer: str = "summary"
    response_format: str = "take"  # or "refuse", as servers do that hold no model to a schema
    vision: str = "take"  # or "refuse" messages with pictures, as servers do whose model sees none
    text: str = ""  # what `fixed` answers, and what `asked` is made of
    tokens: int | None = None  # how long a `fixed` answer is
    models: tuple[str, ...] = ()  # names it knows; empty: it serves any name, as llama.cpp does
    api_key: str = ""  # when set, the bearer token it wants

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadShape(f"{name} must be 1 or more")
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise BadShape(f"{name} must not be negative")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise BadShape(f"{name} must be one of {', '.join(allowed)}")
        self._check_engine()

    @property
    def batching(self) -> bool:
        """Whether all running calls share one engine."""
        return self.step_seconds > 0

    @classmethod
    def of(cls, profile: str, **settings: Any) -> Self:
        """The shape of a profile, with some settings replaced; raises BadShape."""
        return cls().changed({"profile": profile} | settings)

    def changed(self, settings: Mapping[str, Any]) -> Self:
        """This shape with some settings replaced; raises BadShape for unknown names and wrong types.

        With `profile` the other settings begin as that profile has them, whatever they were before.
        """
        base = self
        if "profile" in settings:
            if settings["profile"] not in profiles.SETTINGS:
                raise BadShape(f"profile must be one of {', '.join(profiles.SETTINGS)}")
            base = type(self)(**profiles.SETTINGS[settings["profile"]])
        return dataclasses.replace(base, **{name: _checked(name, value) for name, value in settings.items()})

    def _check_engine(self) -> None:
        if not self.batching:
            if self.memory_full == "preempt":
                raise BadShape("memory_full can be preempt only where step_seconds is above 0")
            return
        if self.step_seconds < _SHORTEST_STEP:
            raise BadShape(f"step_seconds must be 0, or {_SHORTEST_STEP} or more")
        if self.memory_tokens is None:
            return
        if self.memory_full != "preempt":
            raise BadShape("memory_full must be preempt where step_seconds is above 0")
        # vLLM refuses to start otherwise: a call alone on the server must always come to its end.
        if self.memory_tokens < self.context:
            raise BadShape("memory_tokens must be as many as the context where memory_full is preempt")


_CHOICES = {
    "flavour": FLAVOURS,
    "answer": ANSWERS,
    "response_format": ("take", "refuse"),
    "vision": ("take", "refuse"),
    "memory_full": FULL_MEMORY,
    "when_full": FULL_QUEUE,
    "profile": ("", *profiles.SETTINGS),
}
_POSITIVE = ("slots", "context", "batch_tokens", "requests_per_minute", "tokens_per_minute")
_OPTIONAL = {"queue", "memory_tokens", "tokens", "requests_per_minute", "tokens_per_minute"}
_RATES = (
    "tokens_per_second",
    "prefill_tokens_per_second",
    "first_token_seconds",
    "step_seconds",
    "sequence_seconds",
    "kv_token_seconds",
    "burst_seconds",
    "stream_seconds",
    "loading_seconds",
)
_NOT_NEGATIVE = ("queue", "memory_tokens", "tokens", *_RATES)
_KINDS: dict[str, tuple[type, ...]] = {
    field.name: (int, float)
    if field.name in _RATES
    else (int,)
    if isinstance(field.default, int) or field.name in _OPTIONAL
    else (str,)
    for field in dataclasses.fields(Shape)
    if field.name != "models"
}


def _checked(name: str, value: Any) -> Any:
    if name == "models":
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise BadShape("models must be a list of names")
        return tuple(value)
    if name not in _KINDS:
        raise BadShape(f"there is no setting {name!r}")
    if value is None and name in _OPTIONAL:
        return None
    if isinstance(value, bool) or not isinstance(value, _KINDS[name]):
        raise BadShape(f"{name} must be {' or '.join(kind.__name__ for kind in _KINDS[name])}")
    return value


# For people: slow enough to watch a line form and move, quick enough not to bore.
DEMO = Shape(slots=4, tokens_per_second=60, prefill_tokens_per_second=4000, first_token_seconds=0.3)
