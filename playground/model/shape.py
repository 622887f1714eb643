"""What a model server is like: how many calls at once, how fast, how much memory, what it answers."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FLAVOURS = ("vllm", "llamacpp", "ollama", "sglang", "tgi")
ANSWERS = ("summary", "echo", "fixed")
FULL_MEMORY = ("out_of_memory", "wait")


class BadShape(ValueError):
    """A setting that no server can have; the text names it."""


@dataclass(frozen=True)
class Shape:
    """The settings of `POST /control/model`. Rates are tokens per second for each call; 0 is at once."""

    slots: int = 4
    queue: int | None = None  # calls that may wait for a slot; None is no limit, as in vLLM by default
    memory_tokens: int | None = None  # KV cache, shared by all running calls; None is no limit
    memory_full: str = "out_of_memory"  # or "wait", as vLLM and SGLang do
    tokens_per_second: float = 0
    prefill_tokens_per_second: float = 0
    first_token_seconds: float = 0  # before the first token, besides the prefill
    loading_seconds: float = 0  # counted from the moment the shape is set
    context: int = 32_768  # tokens of prompt and answer together
    flavour: str = "vllm"
    answer: str = "summary"
    text: str = ""  # what `fixed` answers
    tokens: int | None = None  # how long a `fixed` answer is
    models: tuple[str, ...] = ()  # names it knows; empty: it serves any name, as llama.cpp does
    api_key: str = ""  # when set, the bearer token it wants

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise BadShape("slots must be 1 or more")
        if self.context < 1:
            raise BadShape("context must be 1 or more")
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise BadShape(f"{name} must not be negative")
        for name, allowed in (("flavour", FLAVOURS), ("answer", ANSWERS), ("memory_full", FULL_MEMORY)):
            if getattr(self, name) not in allowed:
                raise BadShape(f"{name} must be one of {', '.join(allowed)}")

    def changed(self, settings: Mapping[str, Any]) -> "Shape":
        """This shape with some settings replaced; raises BadShape for unknown names and wrong types."""
        return dataclasses.replace(self, **{name: _checked(name, value) for name, value in settings.items()})


_NOT_NEGATIVE = (
    "queue",
    "memory_tokens",
    "tokens_per_second",
    "prefill_tokens_per_second",
    "first_token_seconds",
    "loading_seconds",
    "tokens",
)
_OPTIONAL = {"queue", "memory_tokens", "tokens"}
_KINDS: dict[str, tuple[type, ...]] = {
    field.name: (int, float)
    if isinstance(field.default, float) or field.name in _NOT_NEGATIVE[2:6]
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
