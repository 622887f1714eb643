"""Ids of somebody else's job, in every button there is and in the API: nobody sees, cancels or retries it."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.models import Job
from db.states import JobState
from tasks import actions
from tests import front_door_rig as rig
from tests import fuzz, playground_rig
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door

# Another person, the same ids in another workspace, an admin of another one, and names that the API uses.
STRANGERS = [("U2", "T1"), ("U1", "T2"), ("U9ADMIN", "T2"), ("local", "api"), ("U1", "api")]
# Buttons about whoever presses them, and no job.
OF_THE_PRESSER = {
    actions.OPEN_FORM,
    actions.SET_LANGUAGE,
    actions.SET_RECIPE,
    actions.SET_MENTION,
    actions.DELETE_DATA,
}
SECRET = "the text that U1 wrote"


@pytest.fixture
def slack() -> playground_rig.Receiver:
    """Slack's side of a response_url."""
    with playground_rig.receiving() as receiver:
        yield receiver


def asked(door: Door, state: JobState) -> Job:
    """A job of U1 in the workspace T1."""
    door.event(rig.mention(f"<@U0BOT> {SECRET}"))
    job = door.job()
    error = "bug" if state is JobState.FAILED else None
    door.change(job, state=state, error=error, ended_at=rig.NOW if error else None)
    door.bell.rings.clear()
    return door.job()


def same(door: Door, job: Job) -> bool:
    kept = ("state", "attempt", "error", "ended_at", "requester", "team", "channel", "deadline")
    return all(getattr(door.job(), name) == getattr(job, name) for name in kept)


def buttons(door: Door) -> list[str]:
    """The names of all buttons, those added later among them."""
    return [name for kind, name in fuzz.listeners(door.app) if kind in {"action", "block_action"}]


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.RUNNING, JobState.FAILED, JobState.DONE])
@pytest.mark.parametrize(("user", "team"), STRANGERS)
def test_a_stranger_s_press_changes_nothing_and_tells_nothing(
    sqlite_url: str, slack: playground_rig.Receiver, user: str, team: str, state: JobState
) -> None:
    """Whatever the button; and what they are told names neither the job nor what was written."""
    with rig.opened(sqlite_url, admins="U9ADMIN") as door:
        job = asked(door, state)
        for action in buttons(door):
            value = f"{job.id}:1:up" if action == actions.FEEDBACK else f"{job.id}:1"
            press = rig.press(value, user=user, team=team, action=action, response_url=slack.url)
            assert door.interaction(press).status_code == 200
            if action in OF_THE_PRESSER:
                continue
            told = slack.next().body.decode()
            assert SECRET not in told
            assert job.id not in told
        assert same(door, job)
        assert door.bell.rings == []


@pytest.mark.parametrize(("user", "team"), STRANGERS)
@pytest.mark.parametrize("words", ["cancel {}", "취소 {}", "cancel `{}`", "cancel", "status", "상태"])
def test_a_stranger_s_command_changes_nothing_and_tells_nothing(
    sqlite_url: str, user: str, team: str, words: str
) -> None:
    """An id typed after the command opens no more than one in a button."""
    with rig.opened(sqlite_url, admins="U9ADMIN") as door:
        job = asked(door, JobState.WAITING)
        answer = door.command(rig.command(words.format(job.id), user_id=user, team_id=team))
        assert answer.status_code == 200
        assert SECRET not in answer.text
        assert job.id not in answer.text
        assert same(door, job)


def test_what_a_payload_says_of_its_user_elsewhere_does_not_count(
    door: Door, slack: playground_rig.Receiver
) -> None:
    """Whose press it is stands in one place; names and teams around it open nothing."""
    job = asked(door, JobState.FAILED)
    claims: list[dict[str, Any]] = [
        {"user": {"id": "U2", "team_id": "T1", "name": "U1", "username": "U1"}},
        {"user": {"id": "U2"}, "user_id": "U1"},
        {"user": {"id": "U2"}, "message": {"user": "U1", "ts": "1.0"}},
        {"user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T2", "domain": "T1"}, "team_id": "T1"},
        {"user": {"id": "U2"}, "authorizations": [{"user_id": "U1", "team_id": "T1"}]},
    ]
    for action in buttons(door):
        for claim in claims:
            press = rig.press(f"{job.id}:1", action=action, response_url=slack.url, **claim)
            assert door.interaction(press).status_code == 200
    assert same(door, job)


NUMBERS = st.one_of(
    st.integers().map(str),
    st.sampled_from(["", " 1", "１", "0", "-1", "1_0", "9" * 19, "9" * 400, "1e3", "NaN", "0x1", "1:1"]),
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(number=NUMBERS, data=st.data())
def test_the_owner_s_own_id_with_any_number(either_door: Door, number: str, data: Any) -> None:
    """Only the attempt that failed can be retried; a crafted one is refused, and never a failure of ours."""
    job = either_door.jobs()[0] if either_door.jobs() else asked(either_door, JobState.FAILED)
    action = data.draw(st.sampled_from(buttons(either_door)))

    assert either_door.interaction(rig.press(f"{job.id}:{number}", action=action)).status_code == 200

    assert either_door.job().attempt == 1 or int(number) == 1
    either_door.change(job, state=JobState.FAILED, error="bug", attempt=1)


def test_an_id_of_a_slack_job_opens_nothing_by_http(sqlite_url: str) -> None:
    """Nor does one service's id open another's, for reading or cancelling, under any name."""
    tokens = "U1:token-of-u1-xxxxxxxxxx,T1:token-of-t1-xxxxxxxxxx,local:token-of-local-xxxxxx"
    with rig.opened(sqlite_url, api_tokens=tokens) as door:
        job = asked(door, JobState.WAITING)
        for token in ("token-of-u1-xxxxxxxxxx", "token-of-t1-xxxxxxxxxx", "token-of-local-xxxxxx"):
            headers = {"authorization": f"Bearer {token}"}
            for verb in ("GET", "DELETE"):
                answer = door.client.request(verb, f"/api/analyses/{job.id}", headers=headers)
                assert answer.status_code == 404
            line = door.client.get("/api/line", headers=headers).json()
            assert line["analyses"] == []
            assert SECRET not in json.dumps(line)
        assert same(door, job)


def test_a_key_that_reads_like_another_owner_s_finds_nothing(sqlite_url: str) -> None:
    """`a:b` with the key `c` is not `a` with the key `b:c`, and no key reaches a Slack event's job."""
    tokens = "a:token-of-a-xxxxxxxxxxx,b:token-of-b-xxxxxxxxxxx"
    with rig.opened(sqlite_url, api_tokens=tokens) as door:
        event = rig.mention(f"<@U0BOT> {SECRET}")
        door.event(event)
        for key in (event["event_id"], f"event:{event['event_id']}", "../x", "b:k"):
            headers = {"authorization": "Bearer token-of-a-xxxxxxxxxxx", "idempotency-key": key}
            answer = door.client.post("/api/analyses", json={"text": "Another."}, headers=headers)
            assert answer.status_code == 202
            assert SECRET not in answer.text
        headers = {"authorization": "Bearer token-of-b-xxxxxxxxxxx", "idempotency-key": "k"}
        door.client.post("/api/analyses", json={"text": "Of b."}, headers=headers)
        assert len(door.jobs()) == 6
