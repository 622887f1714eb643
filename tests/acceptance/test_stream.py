"""Answers as streams of Slack's: moving, one message in the end, and other ways where there are none."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from db import posts
from db.models import Lane
from tasks.catalogue import say
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, RESEARCH, Stack

pytestmark = pytest.mark.timeout(300)

ENGLISH = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday. " * 4
KOREAN = "등대지기는 일기를 썼다. 아흐레 동안 비가 내렸다. 배는 일요일에 왔다. 모두가 노래했다. " * 4
# A worker's start, a sweep, and time to spare on a busy machine.
AFTER_A_DEATH = 60.0


@pytest.fixture(autouse=True)
def _on(stack: Stack) -> None:
    switch(stack, "on")
    with stack.database() as transaction:
        # As if the tests before had been a minute ago: no allowance for posts, previews or streams is used up.
        transaction.execute(sa.update(Lane).values(paced_until=None, not_before=None))
    stack.act("model", answer="echo", tokens_per_second=12)


def switch(stack: Stack, how: str) -> None:
    """The owners' order, for everybody."""
    assert stack.order("streaming", how)[0] == 0


def ask(stack: Stack, text: str = ENGLISH, user: str = ADA, channel: str = GENERAL) -> str:
    return stack.say(user, channel, f"<@U0BOT> translate\n{text}")


def streams(stack: Stack, ts: str, channel: str = GENERAL) -> list[dict[str, Any]]:
    """The messages under a message that grow just now."""
    return [one for one in stack.thread(channel, ts) if one.get("streaming_state") == "in_progress"]


def slowly(stack: Stack) -> None:
    """An answer takes so long that a busy machine finds the time to look at it, too."""
    stack.act("model", tokens_per_second=4)


def quickly(stack: Stack) -> None:
    """What is still to be written is there at once."""
    stack.act("model", tokens_per_second=0)


def moving(stack: Stack, ts: str) -> dict[str, Any]:
    """Wait for a stream, and until more is in it."""
    (first,) = stack.wait(lambda: streams(stack, ts), "a stream")
    return stack.wait(
        lambda: [
            one
            for one in streams(stack, ts)
            if len(one["text"]) > len(first["text"]) and one["ts"] == first["ts"]
        ],
        "more in the stream",
    )[0]


def previews(stack: Stack, ts: str) -> bool:
    """Whether the card under a message shows what is written of the answer."""
    return any(say("en", "card.written") in card["text"] for card in stack.replies(GENERAL, ts, "card"))


def starts(stack: Stack) -> list[dict[str, Any]]:
    return list(stack.look("calls", method="chat.startStream")["calls"])


def stops(stack: Stack) -> list[dict[str, Any]]:
    return list(stack.look("calls", method="chat.stopStream")["calls"])


def shape(stack: Stack, ts: str, channel: str = GENERAL) -> list[str | None]:
    """What stands under a message, in its order."""
    return [
        ((one.get("metadata") or {}).get("event_payload") or {}).get("kind")
        for one in stack.thread(channel, ts)
    ]


def said(message: dict[str, Any]) -> str:
    """All that a message says, without the ids of its blocks and its job."""
    job = message["metadata"]["event_payload"]["job"]
    return message["text"] + re.sub(r"'block_id': '[^']*'", "", str(message["blocks"])).replace(job, "")


@pytest.mark.parametrize(
    ("user", "text", "language"), [(ADA, ENGLISH, "en"), (MINJI, KOREAN, "ko")], ids=["en", "ko"]
)
def test_an_answer_grows_and_is_in_the_end_what_it_is_without_a_stream(
    stack: Stack, user: str, text: str, language: str
) -> None:
    """One message, at the place where it grew, with the same blocks; and the card shows no preview meanwhile."""
    slowly(stack)
    ts = ask(stack, text, user)
    grown = moving(stack, ts)
    assert say(language, "card.written") not in stack.replies(GENERAL, ts, "card")[0]["text"]
    quickly(stack)
    answer = stack.answer(GENERAL, ts)
    assert answer["ts"] == grown["ts"]
    assert streams(stack, ts) == []
    assert shape(stack, ts) == ["card", "result"]
    switch(stack, "off")
    before = len(starts(stack))
    other = ask(stack, text, user)
    plain = stack.answer(GENERAL, other)
    assert said(answer) == said(plain)
    assert len(starts(stack)) == before


def test_a_worker_killed_between_start_and_record_leaves_one_message(stack: Stack) -> None:
    """SIGKILL of deliver while Slack has the stream and the row does not know."""
    before = len(starts(stack))
    stack.act("faults/slack", method="chat.startStream", kind="time_out_after", seconds=30, channel=GENERAL)
    ts = ask(stack, ENGLISH * 4)
    (begun,) = stack.wait(lambda: streams(stack, ts), "Slack has the stream")
    stack.kill_deliver()
    stack.wait(lambda: stack.replies(GENERAL, ts, "result"), "the answer", AFTER_A_DEATH)
    stack.wait(
        lambda: shape(stack, ts) == ["card", "result"], "one answer, and nothing beside it", AFTER_A_DEATH
    )
    assert stack.replies(GENERAL, ts, "result")[0]["ts"] == begun["ts"]
    assert len(starts(stack)) == before + 1


def test_a_worker_killed_while_the_stream_becomes_the_answer_leaves_one_message(stack: Stack) -> None:
    """SIGKILL while Slack has the edit, or the stop before it, and the row does not know."""
    slowly(stack)
    ts = ask(stack)
    grown = moving(stack, ts)
    before = len(stops(stack))
    stack.act("faults/slack", method="chat.stopStream", kind="time_out_after", seconds=30, channel=GENERAL)
    quickly(stack)
    stack.wait(lambda: len(stops(stack)) > before, "the stop")
    stack.kill_deliver()
    answer = stack.wait(lambda: stack.replies(GENERAL, ts, "result"), "the answer", AFTER_A_DEATH)[0]
    assert answer["ts"] == grown["ts"]
    assert shape(stack, ts) == ["card", "result"]


def test_a_call_that_breaks_off_is_made_again_and_answers_in_the_same_message(stack: Stack) -> None:
    """What was streamed of the first is not taken for the answer."""
    stack.act("faults/model", kind="cut_stream", times=1)
    ts = ask(stack)
    answer = stack.answer(GENERAL, ts)
    assert shape(stack, ts) == ["card", "result"]
    assert "Sunday" in answer["text"]
    assert streams(stack, ts) == []


def test_a_request_stopped_in_mid_stream_leaves_no_half_of_an_answer(stack: Stack) -> None:
    """By Slack's own Stop button."""
    slowly(stack)
    ts = ask(stack)
    grown = moving(stack, ts)
    stack.act("stop", user=ADA, channel=GENERAL, thread_ts=ts)
    unfinished = say("en", "stream.unfinished")
    stack.wait(
        lambda: unfinished in [one["text"] for one in stack.thread(GENERAL, ts)], "one sentence for it"
    )
    assert [one["ts"] for one in stack.thread(GENERAL, ts)][1:] == [grown["ts"]]
    assert streams(stack, ts) == []
    assert shape(stack, ts) == ["card", None]


def test_more_answers_than_slack_lets_start_are_all_there_once(stack: Stack) -> None:
    """With Slack's limits: nothing is refused, and those that get no stream are shown on their cards."""
    stack.act("limits", enforce=True)
    # Until one has begun, answers take their time.
    stack.act("model", tokens_per_second=4)
    # Two may start now, and one every five seconds: the rest is used up, however long the answers take.
    used_up = datetime.now(UTC) + posts.STREAM_PACE * (posts.STREAM_BURST - 2)
    with stack.database() as transaction:
        transaction.merge(Lane(name=posts.STREAMS, paced_until=used_up))
    before, ended = len(starts(stack)), len(stops(stack))
    asked = [
        (channel, ask(stack, f"{n} {ENGLISH}", user, channel))
        for n in range(5)
        for channel, user in ((GENERAL, ADA), (RESEARCH, LEO))
    ]
    stack.wait(lambda: len(starts(stack)) > before, "a stream begins")
    stack.act("model", tokens_per_second=40)
    for channel, ts in asked:
        stack.wait(lambda channel=channel, ts=ts: stack.replies(channel, ts, "result"), "an answer", 120)
    made = starts(stack)[before:]
    assert 0 < len(made) < len(asked)
    assert {call["status"] for call in [*made, *stops(stack)[ended:]]} == {200}
    assert {tuple(shape(stack, ts, channel)) for channel, ts in asked} == {("card", "result")}


def test_where_slack_has_no_streams_the_card_shows_the_answer(stack: Stack) -> None:
    """As before; and the worker asks no more for a while."""
    stack.act("faults/slack", method="chat.startStream", kind="error", error="unknown_method", times=None)
    before = len(starts(stack))
    slowly(stack)
    ts = ask(stack)
    stack.wait(lambda: previews(stack, ts), "a preview")
    quickly(stack)
    stack.answer(GENERAL, ts)
    slowly(stack)
    other = ask(stack)
    stack.wait(lambda: previews(stack, other), "a preview")
    quickly(stack)
    stack.answer(GENERAL, other)
    assert len(starts(stack)) == before + 1
    assert shape(stack, ts) == shape(stack, other) == ["card", "result"]
    # Another worker has heard nothing of it.
    stack.stop("deliver")
    stack.start("deliver", "tasks", "deliver")
