"""Who sweeps when nobody asks for it."""

import pytest

from tasks import silence
from tasks.sweep import sweep
from tests.fakes import SECOND


@pytest.fixture
def swept() -> list[str]:
    return []


@pytest.fixture
def stand_in(resources, swept):
    """A worker, by its name, looks once."""

    def look(worker: str) -> None:
        silence.stand_in(resources, lambda: (swept.append(worker), sweep(resources, asked=False)))

    return look


def test_a_sweep_that_comes_in_time_is_enough(resources, clock, swept, stand_in):
    sweep(resources)
    clock.move(silence.SILENCE)
    stand_in("infer")
    assert swept == []


def test_without_one_the_workers_sweep_in_turn_until_one_comes_that_was_asked_for(
    resources, clock, swept, stand_in
):
    """However many look: together they sweep no more often than one alone would."""
    sweep(resources)
    for turn in range(1, 4):
        clock.move(silence.SILENCE + SECOND)
        for worker in ("infer-1", "deliver-1", "infer-2"):
            stand_in(worker)
        assert swept == ["infer-1"] * turn
    sweep(resources)
    clock.move(silence.SILENCE)
    stand_in("infer-1")
    assert len(swept) == 3


def test_whoever_takes_the_turn_and_freezes_holds_the_others_up_for_a_silence(
    resources, clock, swept, stand_in
):
    def frozen() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        silence.stand_in(resources, frozen)
    clock.move(silence.SILENCE)
    stand_in("deliver")
    assert swept == []
    clock.move(SECOND)
    stand_in("deliver")
    assert swept == ["deliver"]


def test_an_installation_that_never_swept_is_swept(swept, stand_in):
    stand_in("infer")
    assert swept == ["infer"]
