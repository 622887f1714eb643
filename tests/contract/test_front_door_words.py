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


@pytest.mark.parametrize(
    ("values", "english", "korean"),
    [
        (
            {"state": "waiting", "ahead": 3, "left_from": 60, "left_to": 120},
            "in line for the model (3 ahead of you, about 1 to 2 minutes left), asked 0 min ago",
            "모델 차례를 기다리는 중(앞에 3건, 약 1~2분 남음), 0분 전 요청",
        ),
        ({"state": "waiting"}, "in line for the model, asked", "모델 차례를 기다리는 중, 0분"),
        (
            {"state": "running", "left_from": 0, "left_to": 15},
            "the model is working (less than 15 seconds left), asked",
            "모델이 답을 쓰는 중(15초 안에 끝남), 0분",
        ),
        ({"state": "received", "ahead": 3}, "received, asked", "받음, 0분"),
    ],
)
def test_status_tells_the_place_and_the_time_left(
    door: Door, values: dict[str, object], english: str, korean: str
) -> None:
    """In the words of the card."""
    asked(door)
    door.change(door.job(), **values)

    assert english in said(door, "status")
    assert korean in said(door, "상태")


def test_status_lists_as_many_as_one_may_have(door: Door) -> None:
    """Whoever has to cancel one sees all of them."""
    mine = {asked(door) for _ in range(door.resources.settings.most_open)}

    told = said(door, "status")

    assert len(mine) == 20
    assert all(reference in told for reference in mine)


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


ADMIN = {"admins": "U0ADA,U9"}


def test_an_admin_cancels_anybody_s_request_by_its_reference(sqlite_url: str) -> None:
    """In their own workspace; without a reference it is their own latest."""
    with rig.opened(sqlite_url, **ADMIN) as door:
        theirs = asked(door)
        elsewhere = asked(door, team_id="T2")
        assert said(door, "cancel", user_id="U0ADA") == say("en", "intake.nothing_open")
        assert said(door, f"cancel {elsewhere}", user_id="U0ADA") == say("en", "intake.not_yours")
        assert said(door, f"cancel {theirs}", user_id="U2") == say("en", "intake.not_yours")
        assert {job.state for job in door.jobs()} == {JobState.RECEIVED}

        assert theirs in said(door, f"cancel {theirs}", user_id="U0ADA")

        assert {job.id: job.state for job in door.jobs()} == {
            theirs: JobState.CANCELLED,
            elsewhere: JobState.RECEIVED,
        }
        mine = asked(door, user_id="U0ADA")
        assert mine in said(door, "cancel", user_id="U0ADA")
        cancelled = [line for line in door.logged if line["event"] == "request.cancelled"]
        assert [line["by_admin"] for line in cancelled] == [True, False]


def test_an_admin_may_press_cancel_in_their_own_workspace_alone(migrated_url: str) -> None:
    """A forged id, of another workspace or of a service, opens nothing for an admin either."""
    with rig.opened(migrated_url, **ADMIN) as door, playground_rig.receiving() as slack:
        theirs = asked(door)
        service_s = door.client.post("/api/analyses", json={"text": "A text."}).json()["id"]
        for job_id, team in ((theirs, "T2"), (service_s, "T1")):
            press = rig.press(f"{job_id}:1", "U9", team, action="cancel", response_url=slack.url)
            assert door.interaction(press).status_code == 200
            assert json.loads(slack.next().body)["text"] == say("en", "intake.not_yours")
        assert {job.state for job in door.jobs()} == {JobState.RECEIVED}

        assert door.interaction(rig.press(f"{theirs}:1", "U9", action="cancel")).status_code == 200

        states = {job.id: job.state for job in door.jobs()}
        assert states == {theirs: JobState.CANCELLED, service_s: JobState.RECEIVED}


def test_an_admin_does_not_retry_for_others(sqlite_url: str) -> None:
    """That would spend the asker's place in line."""
    with rig.opened(sqlite_url, **ADMIN) as door, playground_rig.receiving() as slack:
        asked(door)
        job = door.job()
        door.change(job, state="failed", error="bug")
        door.interaction(rig.press(f"{job.id}:1", "U9", response_url=slack.url))
        assert json.loads(slack.next().body)["text"] == say("en", "intake.not_yours_to_retry")
        assert door.job().state is JobState.FAILED
