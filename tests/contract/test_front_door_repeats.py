"""One request makes one job, however often and in however many forms Slack sends it (invariant I2)."""

import threading
from collections.abc import Callable

import pytest

from tests import front_door_rig as rig
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door

EVENT, COMMAND, SHORTCUT = rig.mention(), rig.command(), rig.shortcut()
RETRY = {"x_slack_retry_num": "1", "x_slack_retry_reason": "http_timeout"}


def one_job(door: Door) -> bool:
    """One job, one card, and each stage rung once."""
    (job,) = door.jobs()
    (card,) = door.posts()
    return door.bell.rings == [("deliver", card.lane), ("prepare", job.id)]


def test_an_event_sent_again(either_door: Door) -> None:
    """The same event id with Slack's retry headers, and another message time, which Slack would not send."""
    sent = rig.mention()
    either_door.event(sent)
    for number in range(1, 4):
        answer = either_door.event(sent, **{**RETRY, "x_slack_retry_num": str(number)})
        assert answer.status_code == 200
    sent["event"]["ts"] = "1763800000.999999"
    assert either_door.event(sent).status_code == 200

    assert one_job(either_door)


def test_a_retry_of_a_request_that_never_got_in_gets_in(door: Door) -> None:
    """The header says that Slack tried before, not that we have it."""
    assert door.event(rig.mention(), **RETRY).status_code == 200

    assert one_job(door)


def test_a_mention_in_a_direct_message_comes_as_two_events(either_door: Door) -> None:
    """app_mention and message.im with ids of their own, for one message."""
    first = rig.direct("<@U0BOT> Some text.")
    second = rig.mention("<@U0BOT> Some text.", channel="D1", ts=first["event"]["ts"])

    assert either_door.event(first).status_code == 200
    assert either_door.event(second).status_code == 200

    assert one_job(either_door)


def test_the_same_time_in_another_channel_or_team_is_another_message(door: Door) -> None:
    """Message times are unique within a channel only."""
    first = rig.mention()
    elsewhere = rig.mention(ts=first["event"]["ts"], channel="C2")
    other_team = {**rig.mention(ts=first["event"]["ts"]), "team_id": "T2"}
    for sent in (first, elsewhere, other_team):
        door.event(sent)

    assert len(door.jobs()) == 3


def test_a_trigger_makes_one_job(either_door: Door) -> None:
    """A command, and a shortcut, sent twice; two commands with the same words are two."""
    command, shortcut = rig.command(), rig.shortcut()
    for _ in range(2):
        assert either_door.command(command).status_code == 200
        assert either_door.interaction(shortcut).status_code == 200
    either_door.command({**command, "trigger_id": "another"})

    assert len(either_door.jobs()) == 3


def test_the_shortcut_may_be_used_on_a_message_that_was_a_mention(door: Door) -> None:
    """Somebody else wants it analyzed: that is another request."""
    mention = rig.mention()
    shortcut = rig.shortcut()
    shortcut["message"]["ts"] = mention["event"]["ts"]
    door.event(mention)
    door.interaction(shortcut)

    assert len(door.jobs()) == 2


@pytest.mark.parametrize(
    "send",
    [
        lambda door: door.event(EVENT),
        lambda door: door.command(COMMAND),
        lambda door: door.interaction(SHORTCUT),
        lambda door: door.event(rig.mention(ts="1763899999.000001")),
    ],
    ids=["event", "command", "shortcut", "events with ids of their own"],
)
def test_eight_at_once(migrated_url: str, send: Callable[[Door], object]) -> None:
    """Eight deliveries of one request at the same moment are all acknowledged, and make one job."""
    # The last one waits for seven commits, on a busy machine longer than the rig's patience.
    with rig.opened(migrated_url) as door:
        eight_at_once(door, send)


def eight_at_once(door: Door, send: Callable[[Door], object]) -> None:
    together = threading.Barrier(8)
    statuses: list[int] = []

    def deliver() -> None:
        together.wait()
        statuses.append(send(door).status_code)

    deliveries = [threading.Thread(target=deliver) for _ in range(8)]
    for each in deliveries:
        each.start()
    for each in deliveries:
        each.join()

    assert statuses == [200] * 8
    assert one_job(door)
