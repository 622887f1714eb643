"""`/analyze status` and `/analyze cancel`, and the Cancel button: one's own requests, and nobody else's."""

import json

import pytest

from db.states import JobState
from tasks.catalogue import say
from tests import front_door_rig as rig
from tests import playground_rig
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door


def said(door: Door, text: str, **fields: str) -> str:
    """What the command answers at once."""
    response = door.command(rig.command(text, **fields))
    assert response.status_code == 200
    return response.text


def asked(door: Door, text: str = "The text of a request.", **fields: str) -> str:
    """The id of a new request by command."""
    before = {job.id for job in door.jobs()}
    assert door.command(rig.command(text, **fields)).status_code == 200
    (new,) = {job.id for job in door.jobs()} - before
    return new


def test_status_lists_ones_own_open_requests(either_door: Door) -> None:
    """Somebody else's request, one of another team and an ended one are not in the list."""
    mine, ended = asked(either_door, trigger_id="1"), asked(either_door, trigger_id="2")
    theirs = asked(either_door, trigger_id="3", user_id="U2")
    elsewhere = asked(either_door, trigger_id="4", team_id="T2")
    either_door.change(next(job for job in either_door.jobs() if job.id == ended), state=JobState.DONE)

    told = said(either_door, "status")

    assert mine in told
    assert not any(other in told for other in (ended, theirs, elsewhere))


def test_status_with_nothing_open_says_so_in_the_persons_language(door: Door) -> None:
    """The Korean word, and Korean back."""
    assert said(door, "상태") == say("ko", "status.none", command="/analyze")


def test_cancel_ends_the_latest_open_request(either_door: Door) -> None:
    """The earlier one goes on; a second `cancel` ends that one, a third finds nothing."""
    first, second = asked(either_door, trigger_id="1"), asked(either_door, trigger_id="2")
    jobs = {job.id: job for job in either_door.jobs()}
    either_door.change(jobs[second], created_at=rig.NOW.replace(hour=10))

    assert second in said(either_door, "cancel", trigger_id="3")
    assert {job.id: job.state for job in either_door.jobs()} == {
        first: JobState.RECEIVED,
        second: JobState.CANCELLED,
    }
    assert first in said(either_door, "취소", trigger_id="4")
    assert said(either_door, "cancel", trigger_id="5") == say("en", "intake.nothing_open")


def test_cancel_takes_a_reference(door: Door) -> None:
    """One's own is cancelled, somebody else's is not, and an ended one is told apart."""
    mine, theirs = asked(door, trigger_id="1"), asked(door, trigger_id="2", user_id="U2")

    assert mine in said(door, f"cancel {mine}")
    assert said(door, f"cancel {mine}") == say("en", "intake.ended_already")
    assert said(door, f"cancel {theirs}") == say("en", "intake.not_yours")
    assert {job.id: job.state for job in door.jobs()}[theirs] is JobState.RECEIVED


@pytest.mark.parametrize(
    "text", ["cancel the meeting, then tell everybody about it", "status of the project: late"]
)
def test_a_text_that_begins_with_a_word_of_the_command_is_a_text(door: Door, text: str) -> None:
    """Only the word alone is a command."""
    assert asked(door, text)


def test_the_button_cancels_for_the_asker_alone(either_door: Door) -> None:
    """Another person is told so and changes nothing; the asker ends it, and the card's lane is rung."""
    job_id = asked(either_door)
    with playground_rig.receiving() as slack:
        press = rig.press(f"{job_id}:1", action="cancel", user="U2", response_url=slack.url)
        assert either_door.interaction(press).status_code == 200
        assert json.loads(slack.next().body)["text"] == say("en", "intake.not_yours")
    assert either_door.job().state is JobState.RECEIVED
    either_door.bell.rings.clear()

    assert either_door.interaction(rig.press(f"{job_id}:1", action="cancel")).status_code == 200

    assert either_door.job().state is JobState.CANCELLED
    assert [stage for stage, _ in either_door.bell.rings] == ["deliver"]
