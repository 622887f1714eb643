"""Misbehaviour on order: which fault the next call meets."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from playground.model.shape import FLAVOURS

KINDS = (
    "out_of_memory",
    "busy",
    "rate_limited",
    "loading",
    "down",
    "error_in_stream",
    "cut_stream",
    "no_done",
    "stall",
    "slow",
    "bad_json",
    "bad_schema",
    "refuse_context",
)
# For these `seconds` says how long the pause is; for the others, how long the fault lasts.
_PAUSES = {"stall", "slow"}


class BadFault(ValueError):
    """An order for misbehaviour that makes no sense; the text says why."""


@dataclass
class Fault:
    """One order. `times` None: any number of calls, until `until` (monotonic seconds) or the end."""

    kind: str
    times: int | None = 1
    seconds: float | None = None
    retry_after: float | None = None
    flavour: str | None = None
    probability: float = 1.0
    until: float | None = None


class Faults:
    """The orders that are still open, oldest first."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._clock, self._chance = clock, chance
        self._open: list[Fault] = []

    def order(self, settings: Mapping[str, Any]) -> Fault:
        """Add the fault of a control call's body; raises BadFault."""
        fault = _parse(settings)
        if fault.seconds is not None and fault.kind not in _PAUSES:
            fault.until = self._clock() + fault.seconds
        self._open.append(fault)
        return fault

    def clear(self) -> None:
        """End all of them."""
        self._open.clear()

    def take(self) -> Fault | None:
        """The fault that this call meets, used up by one."""
        for fault in self._current():
            if self._chance() < fault.probability:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def peek(self, kind: str) -> Fault | None:
        """The open fault of this kind, left as it is: for health checks and gauges."""
        return next((fault for fault in self._current() if fault.kind == kind), None)

    def as_json(self) -> list[dict[str, Any]]:
        """What is open, for the control API."""
        return [{k: v for k, v in asdict(fault).items() if k != "until"} for fault in self._current()]

    def _current(self) -> list[Fault]:
        now = self._clock()
        self._open = [
            fault
            for fault in self._open
            if (fault.times is None or fault.times > 0) and (fault.until is None or now < fault.until)
        ]
        return self._open


def _parse(settings: Mapping[str, Any]) -> Fault:
    unknown = set(settings) - {"kind", "times", "seconds", "retry_after", "flavour", "probability"}
    if unknown:
        raise BadFault(f"there is no setting {min(unknown)!r}")
    kind = settings.get("kind")
    if kind not in KINDS:
        raise BadFault(f"kind must be one of {', '.join(KINDS)}")
    if settings.get("flavour") not in (None, *FLAVOURS):
        raise BadFault(f"flavour must be one of {', '.join(FLAVOURS)}")
    for name in ("times", "seconds", "retry_after", "probability"):
        value = settings.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise BadFault(f"{name} must be a number, not negative")
    # A fault with a duration meets every call in that time; one without meets the next call alone.
    lasting = settings.get("seconds") is not None and kind not in _PAUSES
    times = settings.get("times", None if lasting else 1)
    return Fault(
        kind=kind,
        times=None if times is None else int(times),
        seconds=settings.get("seconds"),
        retry_after=settings.get("retry_after"),
        flavour=settings.get("flavour"),
        probability=settings.get("probability", 1.0),
    )
