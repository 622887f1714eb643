"""Who delivers sweeps when nobody asks for it."""

import pytest

from tasks.deliver import silence
from tasks.sweep import sweep
from tests.fakes import SECOND


@pytest.fixture
def swept() -> list[str]:
    return []


def test_a_sweep_that_comes_in_time_is_enough(resources, clock, swept):
    sweep(resources)
    clock.move(silence.SILENCE)
    silence.stand_in(resources, lambda: swept.append("here"))
    assert swept == []


def test_without_one_there_is_a_sweep_each_time(resources, clock, swept):
    """Every second, until one comes that was asked for."""
    sweep(resources)
    clock.move(silence.SILENCE + SECOND)
    for _ in range(2):
        silence.stand_in(resources, lambda: (swept.append("here"), sweep(resources, asked=False)))
    assert swept == ["here", "here"]
    sweep(resources)
    silence.stand_in(resources, lambda: swept.append("here"))
    assert swept == ["here", "here"]


def test_an_installation_that_never_swept_is_swept(resources, swept):
    silence.stand_in(resources, lambda: swept.append("here"))
    assert swept == ["here"]
