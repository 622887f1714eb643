"""Stopping by word, by Slack's Stop button and by deleting; and edits of a message that asked."""

from typing import Any

import pytest

from db import preparing, session
from db.states import JobState
from tests import front_door_rig as rig
from tests.front_door_rig import NOW, Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door

ROOT = "1763700000.000001"


def state(door: Door) -> list[str]:
    return [job.state.value for job in door.jobs()]


def written(text: str, **event: object) -> dict[str, Any]:
    """A message in a channel that does not speak to us."""
    return rig.direct(text, **{"channel_type": "channel", "channel": "C1", **event})


def ask(door: Door, **event: object) -> None:
    assert door.event(rig.mention(ts=ROOT, **event)).status_code == 200


@pytest.mark.parametrize(
    "word", ["stop", "Cancel!", "취소", "그만", "그만해 주세요", "취소해줘", "stop please"]
)
def test_the_word_in_the_thread_stops(either_door: Door, word: str) -> None:
    """By a plain reply of the requester, in English and Korean."""
    ask(either_door)
    assert either_door.event(written(word, thread_ts=ROOT)).status_code == 200
    assert state(either_door) == ["cancelled"]
    assert ("deliver", "slack/C1") in either_door.bell.rings[2:]


@pytest.mark.parametrize(
    "reply",
    [
        {"text": "stop the release", "thread_ts": ROOT},
        {"text": "중지된 서비스를 알려 줘", "thread_ts": ROOT},
        {"text": "stop", "thread_ts": "1763700000.000009"},
        {"text": "stop"},
        {"text": "stop", "thread_ts": ROOT, "user": "U2"},
        {"text": "stop", "thread_ts": ROOT, "bot_id": "B1"},
        {"text": "stop", "thread_ts": ROOT, "channel": "C2"},
        {"text": "stop", "thread_ts": ROOT, "subtype": "message_replied"},
    ],
)
def test_nothing_else_stops(door: Door, reply: dict[str, Any]) -> None:
    """A longer message, another thread, no thread, somebody else, a bot, another channel, a notice."""
    ask(door)
    assert door.event(written(**reply)).status_code == 200
    assert state(door) == ["received"]


def test_a_mention_stops_too_and_is_no_new_request(door: Door) -> None:
    """In the thread, and outside of any thread for the latest request in the channel."""
    ask(door)
    door.event(rig.mention("<@U0BOT> stop", thread_ts=ROOT))
    door.event(rig.mention("<@U0BOT> Another text to work on."))
    door.event(rig.mention("<@U0BOT> 그만"))
    assert state(door) == ["cancelled", "cancelled"]


def test_in_a_direct_message_the_latest_is_stopped(door: Door) -> None:
    """And the one before goes on."""
    door.event(rig.direct("The first text.", ts="1763700001.000001"))
    door.change(door.job(), created_at=NOW.replace(hour=8))
    door.event(rig.direct("The second text.", ts="1763700002.000001"))
    door.event(rig.direct("취소"))
    assert state(door) == ["received", "cancelled"]


def test_an_admin_stops_everybody_s_in_the_thread(sqlite_url: str) -> None:
    """Somebody else's too."""
    with rig.opened(sqlite_url, admins="U9") as door:
        ask(door)
        door.event(written("stop", thread_ts=ROOT, user="U9"))
        assert state(door) == ["cancelled"]


def test_slack_s_stop_button_stops_the_thread_s_requests(door: Door) -> None:
    """Pressed by its requester; pressed by somebody else it does nothing."""
    ask(door)
    stopped = {"type": "agent_session_stopped", "channel": "C1", "thread_ts": ROOT}
    door.event(rig._callback({**stopped, "user": "U2"}))
    assert state(door) == ["received"]
    door.event(rig._callback({**stopped, "user": "U1"}))
    assert state(door) == ["cancelled"]


def test_a_stop_that_cannot_be_saved_is_sent_again(door: Door) -> None:
    """With the database away Slack is not told that it was heard."""
    ask(door)
    door.resources.engine.dispose()
    door.resources.__dict__["engine"] = _broken()
    assert door.event(written("stop", thread_ts=ROOT)).status_code == 503


def _broken() -> Any:
    return session.connect("postgresql+psycopg://nobody@127.0.0.1:9/none", patience=rig.IMPATIENCE)


def changed(text: str, **more: object) -> dict[str, Any]:
    now = {"type": "message", "user": "U1", "ts": ROOT, "text": text, "thread_ts": ROOT, **more}
    before = {**now, "text": "<@U0BOT> Some text to analyze."}
    event = {"type": "message", "subtype": "message_changed", "message": now, "previous_message": before}
    return rig._callback({**event, "channel": "C1", "channel_type": "channel", "hidden": True})


def test_an_edit_counts_while_the_request_waits(either_door: Door) -> None:
    """Also when it was prepared already: it is prepared anew, and whoever prepared the old words holds no claim."""
    ask(either_door)
    with session.transaction(either_door.resources.engine) as transaction:
        old = preparing.claim(transaction, either_door.job().id, NOW, rig.IMPATIENCE)
    assert old is not None
    assert either_door.event(changed("<@U0BOT> translate Quite another text.")).status_code == 200

    job = either_door.job()
    assert (job.recipe, job.text, job.state, job.material_ts) == (
        "translate",
        "Quite another text.",
        JobState.RECEIVED,
        None,
    )
    assert either_door.bell.rings[-1] == ("prepare", job.id)
    with session.transaction(either_door.resources.engine) as transaction:
        assert not preparing.prepared(transaction, job.id, old.fence, "main", None, [], NOW)


@pytest.mark.parametrize("begun", [JobState.RUNNING, JobState.ANSWERED, JobState.DONE, JobState.CANCELLED])
def test_an_edit_comes_too_late_once_a_model_has_begun(door: Door, begun: JobState) -> None:
    """What runs or is over stays what it was."""
    ask(door)
    door.change(door.job(), state=begun)
    assert door.event(changed("<@U0BOT> Quite another text.")).status_code == 200
    assert (door.job().text, door.job().state) == ("Some text to analyze.", begun)


def test_a_preview_of_a_link_is_no_edit(door: Door) -> None:
    """Slack says that a message changed when only its looks did."""
    ask(door)
    rings = list(door.bell.rings)
    door.event(changed("<@U0BOT> Some text to analyze.", attachments=[{"id": 1}]))
    assert door.bell.rings == rings


def test_a_deleted_request_is_cancelled(either_door: Door) -> None:
    """And deleting any other message does nothing."""
    ask(either_door)
    event = {"type": "message", "subtype": "message_deleted", "channel": "C1", "channel_type": "channel"}
    either_door.event(rig._callback({**event, "deleted_ts": "1763700000.000009"}))
    assert state(either_door) == ["received"]
    either_door.event(rig._callback({**event, "deleted_ts": ROOT}))
    assert state(either_door) == ["cancelled"]


def test_a_line_in_a_thread_is_about_the_thread(door: Door) -> None:
    """Without a recipe's name; with one, or as a longer text, it is what it says."""
    ask(door)
    for number, text in enumerate(
        ["Make it shorter.", "더 짧게 써 줘", "summarize A new text.", "Two\nlines."]
    ):
        door.event(rig.mention(f"<@U0BOT> {text}", thread_ts=ROOT, ts=f"1763700100.{number:06}"))
    told = {job.message_ts: (job.recipe, job.material_ts) for job in door.jobs()}
    assert told["1763700100.000000"] == told["1763700100.000001"] == ("ask", ROOT)
    assert told["1763700100.000002"] == told["1763700100.000003"] == ("summarize", None)


def test_follow_ups_in_a_thread_run_in_order(either_door: Door) -> None:
    """The second is not claimed, and not rung for, before the first is answered and shown."""
    ask(either_door)
    first = either_door.job()
    either_door.event(rig.mention("<@U0BOT> Make it shorter.", thread_ts=ROOT))
    second = next(job for job in either_door.jobs() if job.id != first.id)
    either_door.change(first, created_at=NOW.replace(hour=8))

    def claimed() -> bool:
        with session.transaction(either_door.resources.engine) as transaction:
            rung = second.id in preparing.unclaimed(transaction, NOW.replace(hour=10), NOW)
            assert rung == (preparing.claim(transaction, second.id, NOW, rig.IMPATIENCE) is not None)
            return rung

    assert not claimed()
    either_door.change(first, state=JobState.ANSWERED)
    assert not claimed()
    either_door.change(first, state=JobState.DONE)
    assert claimed()
