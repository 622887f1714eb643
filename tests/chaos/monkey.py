"""Carries a plan of faults out, while the stand-ins misbehave by chance."""

import time
from collections import Counter
from collections.abc import Callable

from tests.chaos.plan import Fault
from tests.chaos.recovery import Kill
from tests.chaos.world import World

# One in so many calls or events meets it.
_SLACK_FAULTS = {
    "rate_limited": 0.02,
    "server_error": 0.02,
    "unavailable": 0.01,
    "time_out_before": 0.01,
    "time_out_after": 0.01,
    "drop_before": 0.02,
    "drop_after": 0.02,
    "slow": 0.02,
}
_EVENT_FAULTS = {"duplicate": 0.1, "late": 0.1, "two_events": 0.1}
_MODEL_FAULTS = {
    "busy": 0.02,
    "rate_limited": 0.01,
    "out_of_memory": 0.01,
    "loading": 0.005,
    "cut_stream": 0.02,
    "no_done": 0.01,
    "error_in_stream": 0.01,
    # Calls of up to a minute, longer than a lease.
    "slow": 0.01,
    "stall": 0.01,
}


class Monkey:
    """Carries the plan out."""

    def __init__(self, running: World, faults: list[Fault]) -> None:
        self._world, self._faults = running, faults
        self._mends: list[tuple[float, Callable[[], None]]] = []
        self.kills: list[Kill] = []
        self.done: Counter[str] = Counter()

    def run(self, began: float) -> None:
        for fault in self._faults:
            self._wait_until(began + fault.at)
            self._break(fault)

    def mend(self) -> None:
        """All faults are over."""
        for _, mend in self._mends:
            mend()
        self._mends.clear()
        for name in self._world.network.links:
            self._world.network.heal(name)
        self._world.play.slack.faults.clear()
        self._world.play.model.clear_faults()

    def counts(self) -> dict[str, int]:
        return dict(sorted(self.done.items()))

    def _wait_until(self, moment: float) -> None:
        while (now := time.monotonic()) < moment:
            due = min([moment, *(at for at, _ in self._mends)])
            time.sleep(max(0.0, due - now))
            for timed in [each for each in self._mends if each[0] <= time.monotonic()]:
                self._mends.remove(timed)
                timed[1]()

    def _break(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                self._kill(fault.target)
            case "freeze":
                self._mend_after(fault, self._world.fleet.freeze(fault.target))
                self.done[f"freeze {fault.target.partition('-')[0]}"] += 1
            case "link":
                self._world.network.fault(fault.target, fault.how)
                self._mend_after(fault, lambda: self._world.network.heal(fault.target))
                self.done[f"link {fault.how}"] += 1
            case "empty_broker":
                self._world.empty_broker()
                self.done["broker emptied"] += 1
            case "restart_database":
                self._world.restart_database(fault.how)
                self.done[f"database {fault.how}"] += 1

    def _kill(self, name: str) -> None:
        at = time.time()
        life = self._world.fleet.kill(name)
        if life is not None:
            self.kills.append(Kill(name, life, at))
            self.done[f"kill {name.partition('-')[0]}"] += 1

    def _mend_after(self, fault: Fault, mend: Callable[[], None]) -> None:
        self._mends.append((time.monotonic() + fault.seconds, mend))


def misbehave(running: World) -> None:
    """Faults of both stand-ins, by chance, all the time."""
    slack, model = running.play.slack, running.play.model
    slack.limits.enforce = False
    shape = {"slots": 64, "answer": "echo", "tokens_per_second": 160.0, "first_token_seconds": 0.1}
    model.engine.become(model.engine.shape.changed(shape), reload=False)
    for kind, chance in _SLACK_FAULTS.items():
        slack.faults.order_call({"kind": kind, "method": "*", "times": None, "probability": chance})
    for kind, chance in _EVENT_FAULTS.items():
        slack.faults.order_event({"kind": kind, "times": None, "probability": chance})
    for kind, chance in _MODEL_FAULTS.items():
        pause = {"slow": {"seconds": 4}, "stall": {"seconds": 8}}.get(kind, {})
        model.faults.order({"kind": kind, "times": 1_000_000, "probability": chance, **pause})
