"""The Retry button: once for each failure, for the person who asked, whatever a forged button carries."""

import json
import threading
from typing import Any

import pytest

from db.models import Job
from db.states import JobState
from tasks.catalogue import say
from tests import front_door_rig as rig
from tests import playground_rig
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door


@pytest.fixture
def slack() -> playground_rig.Receiver:
    """Slack's side of a response_url."""
    with playground_rig.receiving() as receiver:
        yield receiver


def failed(door: Door) -> Job:
    door.event(rig.mention())
    job = door.job()
    door.change(job, state=JobState.FAILED, error="bug", ended_at=rig.NOW)
    door.bell.rings.clear()
    return job


def told(slack: playground_rig.Receiver) -> dict[str, Any]:
    """What was said through the response_url."""
    return json.loads(slack.next().body)


def test_the_owner_begins_a_new_attempt(either_door: Door) -> None:
    """The same job, received anew, and both stages rung."""
    job = failed(either_door)

    assert either_door.interaction(rig.press(f"{job.id}:1")).status_code == 200

    again = either_door.job()
    assert (again.id, again.attempt, again.state, again.error) == (job.id, 2, JobState.RECEIVED, None)
    assert either_door.bell.rings[0] == ("prepare", job.id)


def test_pressing_at_once_from_eight_windows_begins_one_attempt(either_door: Door) -> None:
    """The row's lock decides."""
    job = failed(either_door)
    presses = [
        threading.Thread(target=either_door.interaction, args=[rig.press(f"{job.id}:1")]) for _ in range(8)
    ]
    for each in presses:
        each.start()
    for each in presses:
        each.join()

    assert either_door.job().attempt == 2
    assert [name for name, _ in either_door.bell.rings].count("prepare") == 1


def test_a_second_press_is_told_so(door: Door, slack: playground_rig.Receiver) -> None:
    """For that person's eyes only, and the failure's message stays."""
    job = failed(door)
    door.speaks("U1", "ko-KR")
    door.interaction(rig.press(f"{job.id}:1"))

    assert door.interaction(rig.press(f"{job.id}:1", response_url=slack.url)).status_code == 200

    heard = told(slack)
    assert heard["text"] == say("ko", "intake.retried_already")
    assert (heard["response_type"], heard["replace_original"]) == ("ephemeral", False)
    assert door.job().attempt == 2


@pytest.mark.parametrize(("user", "team"), [("U2", "T1"), ("U1", "T2"), ("local", "api")])
def test_another_person_or_workspace_begins_nothing(
    door: Door, slack: playground_rig.Receiver, user: str, team: str
) -> None:
    """The id in a button opens nothing by itself."""
    job = failed(door)

    door.interaction(rig.press(f"{job.id}:1", user, team, response_url=slack.url))

    assert told(slack)["text"] == say("en", "intake.not_yours_to_retry")
    assert (door.job().attempt, door.job().state, door.bell.rings) == (1, JobState.FAILED, [])


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.FAILED])
def test_only_a_failure_can_be_retried(door: Door, slack: playground_rig.Receiver, state: JobState) -> None:
    """A button kept from an earlier life of the job changes nothing."""
    job = failed(door)
    door.change(job, state=state)

    door.interaction(rig.press(f"{job.id}:1", response_url=slack.url))

    assert told(slack)["text"] == say("en", "intake.retried_already")
    assert (door.job().attempt, door.job().state) == (1, state)


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "x:", ":1", "x:1:2", "x:1.5", "x:-0x1", "x:" + "9" * 1900, "x" * 3000),
        *("\x00:1", "\ud800:1", None, 1, [], {"a": 1}, "' OR 1=1 --:1"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_forged_button_does_nothing(either_door: Door, value: object) -> None:
    """Whatever it carries is no job of that person's, or no attempt at all."""
    job = failed(either_door)

    assert either_door.interaction(rig.press(value)).status_code == 200
    assert either_door.job().attempt == job.attempt
    assert either_door.bell.rings == []


def test_an_attempt_that_is_not_the_last_one_is_refused(door: Door, slack: playground_rig.Receiver) -> None:
    """The button under the first failure, pressed after the second one."""
    job = failed(door)
    door.change(job, attempt=2)

    door.interaction(rig.press(f"{job.id}:1", response_url=slack.url))
    assert told(slack)["text"] == say("en", "intake.retried_already")

    door.interaction(rig.press(f"{job.id}:2"))
    assert door.job().attempt == 3


@pytest.mark.parametrize("address", [f"http://{rig.NOWHERE}/hook", "not an address", "file:///etc/passwd"])
def test_a_refusal_that_cannot_be_told_is_acknowledged(door: Door, address: str) -> None:
    """Slack's response_url may be gone; that is in the log, without the address."""
    failed(door)

    assert door.interaction(rig.press("x:1", response_url=address)).status_code == 200

    assert door.logged[-1]["event"] == "whisper.unheard"
    assert address not in str(door.logged)
