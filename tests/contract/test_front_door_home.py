"""The App Home shows how things stand, also when two presses cross."""

from typing import Any

import pytest

from bot.listeners import home
from db import people, session
from tests import front_door_rig as rig
from tests.front_door_rig import Door

either_door = rig.either_door

ADA = "U0ADA"


class Slack:
    """Takes Homes; something may happen while one is on its way."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        self.meanwhile: list[Any] = []

    def views_publish(self, *, user_id: str, view: dict[str, Any]) -> None:
        assert user_id == ADA
        if self.meanwhile:
            self.meanwhile.pop()()
        self.shown.append(view)

    def chosen(self) -> set[str]:
        """The settings that the Home shows now."""
        found = [(block.get("accessory") or {}).get("initial_option") for block in self.shown[-1]["blocks"]]
        return {option["value"] for option in found if option}


@pytest.fixture
def slack(either_door: Door) -> Slack:
    made = Slack()
    either_door.resources.__dict__["slack"] = made
    either_door.speaks(ADA, "en-US")
    return made


def choose(door: Door, **chosen: str | bool) -> None:
    with session.transaction(door.resources.engine) as transaction:
        people.prefer(transaction, "T1", ADA, chosen)


def test_a_home_is_shown_once_while_nothing_changes(either_door: Door, slack: Slack) -> None:
    home.publish(either_door.resources, "T1", ADA)
    assert len(slack.shown) == 1


def test_a_home_that_is_overtaken_does_not_stay(either_door: Door, slack: Slack) -> None:
    """The second press is read and shown while the Home of the first is on its way to Slack."""

    def press_again() -> None:
        choose(either_door, mention=False)
        home.publish(either_door.resources, "T1", ADA)

    choose(either_door, recipe="key-points")
    slack.meanwhile = [press_again]
    home.publish(either_door.resources, "T1", ADA)
    assert slack.chosen() >= {"key-points", "no"}
    assert len(slack.shown) == 3


def test_a_home_that_never_rests_is_left_to_later_presses(either_door: Door, slack: Slack) -> None:
    """Nobody's thread shows Homes for ever."""
    words = iter([False, True] * home.MOST_LOOKS)
    slack.meanwhile = [lambda: choose(either_door, mention=next(words)) for _ in range(2 * home.MOST_LOOKS)]
    home.publish(either_door.resources, "T1", ADA)
    assert len(slack.shown) == home.MOST_LOOKS
