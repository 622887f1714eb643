"""MOST_OPEN: one request more is refused at every door, and its person told at once what to do."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from db.models import Job
from db.states import JobState
from tasks.catalogue import say
from tests import front_door_rig as front_door
from tests import playground_rig, services
from tests.contract.test_front_door_trouble import silent_server
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url = front_door.migrated_sqlite, front_door.sqlite_url

MOST = 2
REFUSAL = {
    language: say(language, "intake.too_many", limit=MOST, cancel="/analyze cancel")
    for language in ("en", "ko")
}


@pytest.fixture
def slack() -> Iterator[playground_rig.Receiver]:
    """Slack's Web API and its response_urls."""
    with playground_rig.receiving() as receiver:
        receiver.answers({"ok": True, "ts": "1.1", "message_ts": "1.1", "user": {"locale": "en-US"}})
        yield receiver


@pytest.fixture
def either(migrated_url: str) -> str:
    """A migrated database of each kind."""
    return migrated_url


@pytest.fixture
def full(either: str, slack: playground_rig.Receiver) -> Iterator[Door]:
    """A door on each database, with U1 at the cap."""
    api = slack.url.replace("/slack/events", "/api/")
    with front_door.opened(either, most_open=MOST, slack_api_url=api) as door:
        fill(door)
        yield door


@pytest.fixture
def door(sqlite_url: str, slack: playground_rig.Receiver) -> Iterator[Door]:
    api = slack.url.replace("/slack/events", "/api/")
    with front_door.opened(sqlite_url, most_open=MOST, slack_api_url=api) as made:
        fill(made)
        yield made


def fill(door: Door, most: int = MOST) -> list[Job]:
    for _ in range(most):
        assert door.command(front_door.command()).content == b""
    door.bell.rings.clear()
    return door.jobs()


def nothing_was_saved(door: Door) -> None:
    assert len(door.jobs()) == MOST
    assert door.bell.rings == []


def test_a_command_is_answered_with_the_number(full: Door) -> None:
    """The words of the issue, for that person's eyes only."""
    answer = full.command(front_door.command())

    assert (answer.status_code, answer.text) == (200, REFUSAL["en"])
    assert answer.text.startswith("You have 2 requests open, which is the most.")
    assert "cancel one with `/analyze cancel`" in answer.text
    nothing_was_saved(full)


def test_a_command_is_answered_in_the_person_s_language(door: Door) -> None:
    """As known, else as they write."""
    assert door.command(front_door.command("분석할 글이 여기에 있습니다.")).text == REFUSAL["ko"]
    door.speaks("U1", "en-US")
    assert door.command(front_door.command("분석할 글이 여기에 있습니다.")).text == REFUSAL["en"]


def test_one_at_a_time_has_words_of_its_own(sqlite_url: str) -> None:
    """One request is no "requests", in either language."""
    with front_door.opened(sqlite_url, most_open=1) as door:
        fill(door, 1)
        told = door.command(front_door.command()).text

    assert told == say("en", "intake.too_many_one", cancel="/analyze cancel")
    assert "requests" not in told


def test_the_shortcut_whispers(full: Door, slack: playground_rig.Receiver) -> None:
    """By its response_url."""
    assert full.interaction(front_door.shortcut(response_url=slack.url)).status_code == 200

    heard = json.loads(slack.next().body)
    assert (heard["text"], heard["response_type"]) == (REFUSAL["en"], "ephemeral")
    nothing_was_saved(full)


@pytest.fixture
def in_slack(either: str, rig: playground_rig.Rig) -> Iterator[Door]:
    """A door on each database whose Slack is the stand-in, with one of its people at the cap."""
    slack = {"slack_api_url": f"{rig.running.url}/api/", "slack_bot_token": playground_rig.TOKEN}
    with front_door.opened(either, most_open=MOST, **slack) as door:
        for _ in range(MOST):
            door.command(front_door.command(user_id="U0ADA"))
        door.bell.rings.clear()
        yield door


@pytest.mark.parametrize("is_reply", [False, True])
def test_a_mention_is_acknowledged_and_its_person_told(
    in_slack: Door, rig: playground_rig.Rig, is_reply: bool
) -> None:
    """For their eyes only, where they asked: in a thread that is one already, else in the channel."""
    thread = rig.client.chat_postMessage(channel="C0GENERAL", text="A thread")["ts"]
    reply = {"thread_ts": thread} if is_reply else {}

    assert in_slack.event(front_door.mention(user="U0ADA", channel="C0GENERAL", **reply)).status_code == 200

    [said] = services.wait_for(lambda: rig.look("ephemerals", user="U0ADA")["messages"], 10)
    assert (said["text"], said.get("thread_ts")) == (REFUSAL["en"], thread if is_reply else None)
    assert rig.look("ephemerals", user="U0LEO")["messages"] == []
    nothing_was_saved(in_slack)


def test_a_direct_message_is_answered_in_its_thread(in_slack: Door, rig: playground_rig.Rig) -> None:
    """Nobody else reads there, so the words may stay; in the language of the message."""
    channel = rig.client.conversations_open(users="U0ADA")["channel"]["id"]
    asked = rig.client.chat_postMessage(channel=channel, text="Their message.")["ts"]
    sent = front_door.direct("분석할 글이 여기에 있습니다.", user="U0ADA", channel=channel, ts=asked)

    assert in_slack.event(sent).status_code == 200

    def replies() -> list[str]:
        found = rig.client.conversations_replies(channel=channel, ts=asked)["messages"]
        return [message["text"] for message in found[1:]]

    assert services.wait_for(replies, 10) == [REFUSAL["ko"]]
    nothing_was_saved(in_slack)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("sent", [front_door.mention, front_door.direct])
def test_a_slack_that_hangs_is_not_waited_for(sqlite_url: str, sent: Any) -> None:
    """The acknowledgement comes while the word is still on its way; too many words at once are dropped."""
    with silent_server() as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/api/"
        with front_door.opened(sqlite_url, most_open=MOST, slack_api_url=address) as door:
            fill(door)
            for _ in range(25):
                assert door.event(sent()).status_code == 200
            assert [line["event"] for line in door.logged].count("aside.dropped") == 5
            nothing_was_saved(door)


def test_a_word_that_slack_does_not_take_is_in_the_log(door: Door, slack: playground_rig.Receiver) -> None:
    """With Slack's code, and without what was written. The next one is tried again."""
    slack.answers({"ok": False, "error": "user_not_in_channel"})
    for _ in range(25):
        assert door.event(front_door.mention("<@U0BOT> swordfish words")).status_code == 200
        slack.next()
        services.wait_for(lambda: door.logged[-1]["event"] == "aside.unheard", 10)
        assert door.logged.pop()["code"] == "user_not_in_channel"

    assert "swordfish" not in repr(door.logged)


def test_a_service_gets_429(either: str) -> None:
    """With when to ask again, and the sentence with its own way to cancel."""
    with front_door.opened(either, most_open=MOST) as door:
        for _ in range(MOST):
            assert door.client.post("/api/analyses", json={"text": "A text."}).status_code == 202
        door.bell.rings.clear()

        answer = door.client.post("/api/analyses", json={"text": "A text."})

        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
        detail = say("en", "intake.too_many", limit=MOST, cancel="DELETE /api/analyses/{id}")
        assert answer.json() == {"detail": detail}
        nothing_was_saved(door)


def test_the_cap_is_each_person_s_own(full: Door) -> None:
    """In each workspace; and a service named like somebody is not them."""
    assert full.command(front_door.command(user_id="U2")).content == b""
    assert full.command(front_door.command(team_id="T2")).content == b""
    assert full.client.post("/api/analyses", json={"text": "A text."}).status_code == 202


@pytest.mark.parametrize("state", list(JobState))
def test_what_is_open_counts_and_what_has_ended_does_not(door: Door, state: JobState) -> None:
    """One that is cancelled, or answered, makes room."""
    door.change(door.jobs()[0], state=state)

    told = door.command(front_door.command()).text

    is_open = state in {JobState.RECEIVED, JobState.PREPARING, JobState.WAITING, JobState.RUNNING}
    assert told == (REFUSAL["en"] if is_open else "")


def test_what_was_accepted_is_found_again_at_the_cap(either: str) -> None:
    """Slack's repetition of the request that filled the last place is no new one, by whatever key it is known."""
    with front_door.opened(either, most_open=3) as door:
        mention, command = front_door.mention(), front_door.command()
        door.event(mention)
        door.command(command)
        keyed = {"idempotency-key": "order-7"}
        first = [
            door.client.post("/api/analyses", json={"text": "A text."}, headers=keyed).json()
            for _ in range(3)
        ]
        door.command(front_door.command())
        assert "2 requests" not in door.command(front_door.command()).text
        before = len(door.jobs())

        assert door.event(mention, x_slack_retry_num="1").status_code == 200
        assert door.event({**mention, "event_id": "Ev-another"}).status_code == 200
        assert door.command(command).content == b""

        assert first[0] == first[1] == first[2]
        assert len(door.jobs()) == before
        assert [line["event"] for line in door.logged].count("request.repeated") == 5


def test_retry_is_refused_at_the_cap(full: Door, slack: playground_rig.Receiver) -> None:
    """A failed job that is tried again is open again; the failure stays, and can be retried once there is room."""
    job = full.jobs()[0]
    full.change(job, state=JobState.FAILED, error="bug", ended_at=front_door.NOW)
    full.command(front_door.command())
    full.bell.rings.clear()

    assert full.interaction(front_door.press(f"{job.id}:1", response_url=slack.url)).status_code == 200

    assert json.loads(slack.next().body)["text"] == REFUSAL["en"]
    after = next(one for one in full.jobs() if one.id == job.id)
    assert (after.state, after.attempt, after.error) == (JobState.FAILED, 1, "bug")
    assert full.bell.rings == []

    full.command(front_door.command("cancel"))
    full.interaction(front_door.press(f"{job.id}:1"))
    assert next(one for one in full.jobs() if one.id == job.id).attempt == 2


def test_a_second_press_at_the_cap_is_told_that_it_was_the_second(
    door: Door, slack: playground_rig.Receiver
) -> None:
    """Also where the cap was lowered since, or two requests came at the same moment."""
    job = door.jobs()[0]
    door.change(job, state=JobState.FAILED, error="bug", ended_at=front_door.NOW)
    door.interaction(front_door.press(f"{job.id}:1"))
    door.command(front_door.command(user_id="U2"))
    door.change(next(each for each in door.jobs() if each.requester == "U2"), requester="U1")

    door.interaction(front_door.press(f"{job.id}:1", response_url=slack.url))

    assert b"user=U1" in slack.next().body, "Slack is asked for the language of somebody new"
    assert json.loads(slack.next().body)["text"] == say("en", "intake.retried_already")
