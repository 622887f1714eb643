"""The button under a plan of many calls: once, for the person who asked, whatever a forged button carries."""

import json
import threading
from datetime import timedelta

import pytest

from db import backends, preparing, session
from db.jobs import NewStep
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


def held(door: Door) -> Job:
    """A job whose plan waits for its person's word."""
    door.event(rig.mention())
    job = door.job()
    step = NewStep("items", [{"role": "user", "content": "x"}], 1, 1, 0.0, 20)
    with session.transaction(door.resources.engine) as transaction:
        backends.declare(transaction, [backends.Declared("main", 4)])
        taken = preparing.claim(transaction, job.id, rig.NOW, timedelta(seconds=30))
        plan = {"kind": "items", "parts": 50, "items": 1000, "calls": 50}
        preparing.prepared(
            transaction, job.id, taken.fence, "main", None, [step], rig.NOW, plan=plan, held=True
        )
    door.bell.rings.clear()
    return door.job()


def test_status_says_what_a_held_request_waits_for(door: Door) -> None:
    """Else its person would wait, too."""
    held(door)
    answer = door.command(rig.command("status")).text
    assert "waits for *Run it* on its card" in answer


def test_a_service_gives_its_word_by_a_call(either_door: Door) -> None:
    """Once, and for its own analyses alone."""
    job = held(either_door)
    path = f"/api/analyses/{job.id}/confirm"
    assert either_door.client.post(path).status_code == 404
    either_door.change(job, team="api", requester="local")
    before = either_door.client.get(f"/api/analyses/{job.id}").json()
    assert (before["calls"], before["needs_confirmation"]) == (50, True)
    answer = either_door.client.post(path)
    assert (answer.status_code, answer.json()["needs_confirmation"]) == (200, False)
    assert ("infer", "main") in either_door.bell.rings
    assert either_door.client.post(path).status_code == 409


def press(job: Job, *who: str, **changed: str) -> dict:
    return rig.press(f"{job.id}:{job.attempt}", *who, action="confirm", **changed)


def test_the_persons_word_puts_the_calls_in_line(either_door: Door) -> None:
    """The card and the model server's workers are rung."""
    job = held(either_door)
    assert either_door.interaction(press(job)).status_code == 200
    after = either_door.job()
    assert (after.held, after.state) == (False, JobState.WAITING)
    assert [name for name, _ in either_door.bell.rings] == ["infer", "deliver"]


def test_pressing_at_once_from_eight_windows_is_one_word(either_door: Door) -> None:
    """The row's lock decides."""
    job = held(either_door)
    presses = [threading.Thread(target=either_door.interaction, args=[press(job)]) for _ in range(8)]
    for each in presses:
        each.start()
    for each in presses:
        each.join()
    assert [name for name, _ in either_door.bell.rings].count("infer") == 1


def test_a_second_press_is_told_so(door: Door, slack: playground_rig.Receiver) -> None:
    job = held(door)
    door.speaks("U1", "ko-KR")
    door.interaction(press(job))
    door.interaction(press(job, response_url=slack.url))
    assert json.loads(slack.next().body)["text"] == say("ko", "intake.confirmed_already")


@pytest.mark.parametrize(("user", "team"), [("U2", "T1"), ("U1", "T2"), ("local", "api")])
def test_nobody_else_can_give_the_word(
    door: Door, slack: playground_rig.Receiver, user: str, team: str
) -> None:
    """The id in a button opens nothing by itself."""
    job = held(door)
    door.interaction(press(job, user, team, response_url=slack.url))
    assert json.loads(slack.next().body)["text"] == say("en", "intake.not_yours_to_confirm")
    assert door.job().held
    assert door.bell.rings == []


@pytest.mark.parametrize("value", ["", "x:1", "x:" + "9" * 1900, None, {"a": 1}, "' OR 1=1 --:1"], ids=repr)
def test_a_forged_button_does_nothing(either_door: Door, value: object) -> None:
    held(either_door)
    assert either_door.interaction(rig.press(value, action="confirm")).status_code == 200
    assert either_door.job().held
