"""The record of truth: what the server did, whoever asked, as nobody outside can know it."""

from collections import Counter, deque
from typing import Any

from playground.model.pictures import Picture

REMEMBERED = 20_000  # calls and change points kept for the control API


class Record:
    """Counts since it was begun. Times are seconds since the epoch."""

    def __init__(self, at: float, in_flight: int = 0, running: int = 0) -> None:
        self.since = at
        self.changes: deque[tuple[float, int, int]] = deque([(at, in_flight, running)], maxlen=REMEMBERED)
        self.peak_in_flight, self.peak_running = in_flight, running
        self.served = self.preemptions = self.recomputed = self.tokens_in = self.tokens_out = 0
        self.ended: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.pictures: deque[Picture] = deque(maxlen=REMEMBERED)
        self.people: dict[str, dict[str, int]] = {}
        self._busy = 0.0

    def level(self, at: float, in_flight: int, running: int) -> None:
        """So many calls from now on; those running hold a slot each."""
        then, *levels = self.changes[-1]
        if levels == [in_flight, running]:
            return
        self._busy += (at - then) * levels[1]
        self.changes.append((at, in_flight, running))
        self.peak_in_flight = max(self.peak_in_flight, in_flight)
        self.peak_running = max(self.peak_running, running)

    def busy_seconds(self, now: float) -> float:
        """Seconds that slots were held, added up over the slots."""
        then, _, running = self.changes[-1]
        return self._busy + max(0.0, now - then) * running

    def start(self, user: str) -> None:
        """A call of this person got its slot, the first time."""
        self._person(user)["calls"] += 1

    def read(self, user: str, tokens: int) -> None:
        """Prompt tokens were prefilled, the first time."""
        self._person(user)["tokens_in"] += tokens
        self.tokens_in += tokens

    def wrote(self, user: str, tokens: int) -> None:
        """Tokens were made."""
        self._person(user)["tokens_out"] += tokens
        self.tokens_out += tokens

    def as_json(self, now: float, latest: int | None = None) -> dict[str, Any]:
        """What the control API shows; `latest` is how many change points at most."""
        return {
            "since": self.since,
            "now": now,
            "peak_in_flight": self.peak_in_flight,
            "peak_running": self.peak_running,
            "served": self.served,
            "ended": dict(self.ended),
            "refused": self.refusals.total(),
            "refusals": dict(self.refusals),
            "preemptions": self.preemptions,
            "recomputed_tokens": self.recomputed,
            "busy_slot_seconds": self.busy_seconds(now),
            "pictures": [vars(picture) for picture in newest(self.pictures, latest)],
            "people": self.people,
            "changes": newest(self.changes, latest),
        }

    def _person(self, user: str) -> dict[str, int]:
        return self.people.setdefault(user, {"calls": 0, "tokens_in": 0, "tokens_out": 0})


def newest(things: deque[Any], count: int | None) -> list[Any]:
    """The last `count` of them, oldest first; None is all."""
    everything = list(things)
    return everything if count is None else everything[max(0, len(everything) - count) :]
