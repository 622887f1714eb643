"""The chaos suite's short form: everything breaks for a while, and the ledger is even. `make chaos` is the long one."""

import random
import secrets

import pytest

from tests.chaos import plan, run

# Two runs of some 90 s each on two cores.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.parametrize("pair", ["sqlite-redis", "postgresql-rabbitmq"])
def test_nothing_is_lost_and_nothing_is_said_twice(pair: str) -> None:
    """Kills, freezes, cut links, an emptied broker, a restarted database: I1 to I7 hold for every request."""
    # A new plan each time; the number in the failure makes the same one again: `make chaos ARGS="--short --seed N"`.
    seed = secrets.randbelow(10**6)
    seen = run.run(pair, seed, plan.SHORT, print)
    wrong = run.wrong(seen)
    assert not wrong, f"seed {seed}: {wrong}\n" + "\n".join(seen["notes"])
    assert seen["acknowledged"] > seen["requests"] / 2, f"seed {seed}: too little was asked to say anything"


def test_a_seed_makes_the_same_plan_again() -> None:
    """What failed once can be looked at: the same faults, at the same moments."""
    links = ["front", "model"]
    first, again, other = (
        plan.make(random.Random(seed), plan.SHORT, links, ["SIGINT"]) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_full_form_breaks_as_much_as_it_promises() -> None:
    """Four runs: 200 kills of workers, 50 of web and beat, 20 of the broker, 10 restarts, 2,000 requests."""
    full, runs = plan.FULL, len(run.PAIRS)
    assert full.worker_kills * runs >= 200
    assert full.front_kills * runs >= 50
    assert full.broker_losses * runs >= 20
    assert full.database_restarts * runs >= 10
    assert full.requests * runs >= 2000
