"""Fixtures for the stand-ins: one playground for a module, brought back to its first state for each test."""

from collections.abc import Iterator

import pytest

from tests import playground_rig


@pytest.fixture(scope="module")
def _shared_rig() -> Iterator[playground_rig.Rig]:
    with playground_rig.rig() as made:
        yield made


@pytest.fixture
def rig(_shared_rig: playground_rig.Rig) -> playground_rig.Rig:
    _shared_rig.act("reset")
    _shared_rig.receiver.refresh()
    return _shared_rig
