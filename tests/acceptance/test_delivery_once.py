"""Delivery when everything is against it: each post stands in Slack once, in order, and reaches its person (I4)."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.catalogue import say
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, RESEARCH, Stack, kind_of

pytestmark = pytest.mark.timeout(300)

TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."
KOREAN = "등대지기는 일기를 썼다. 아흐레 동안 비가 내렸다. 배는 일요일에 왔다. 모두가 노래했다."
# A worker's start, a sweep, and time to spare on a busy machine.
AFTER_A_DEATH = 60.0


@pytest.fixture
def three_deliverers(stack: Stack) -> Iterator[None]:
    """Two deliver processes beside the one that is there."""
    for name in ("deliver-2", "deliver-3"):
        stack.start(name, "tasks", "deliver")
    yield
    for name in ("deliver-2", "deliver-3"):
        stack.stop(name)


def calls(stack: Stack, method: str, channel: str) -> list[dict[str, Any]]:
    """The calls of a method that a channel saw."""
    return [
        call
        for call in stack.look("calls", method=method)["calls"]
        if call["args"].get("channel", call["args"].get("channel_id")) == channel
    ]


def posted_twice(stack: Stack, channel: str) -> list[tuple[str, str]]:
    """Posts of which the channel holds more than one message."""
    places = [message["ts"] for message in stack.look("messages", channel=channel)["messages"]]
    messages = {
        each["ts"]: each
        for ts in places
        for each in stack.look("messages", channel=channel, thread_ts=ts)["messages"]
    }
    seen = [
        (payload["post"], payload["kind"])
        for each in messages.values()
        if (payload := (each.get("metadata") or {}).get("event_payload"))
    ]
    return sorted({each for each in seen if seen.count(each) > 1})


@pytest.mark.usefixtures("three_deliverers")
def test_three_workers_share_a_channel_in_order_and_at_its_pace(stack: Stack) -> None:
    """Ten requests in one channel: each answered once, its card before its answer, and Slack never says 429."""
    stack.act("limits", enforce=True)
    before = len(calls(stack, "chat.postMessage", GENERAL))
    asked = [stack.say(ADA, GENERAL, f"<@U0BOT> {n} {TEXT}") for n in range(10)]
    for ts in asked:
        stack.answer(GENERAL, ts)
    assert posted_twice(stack, GENERAL) == []
    for ts in asked:
        assert [kind_of(reply) for reply in stack.thread(GENERAL, ts)] == ["card", "result"]
    assert {call["status"] for call in calls(stack, "chat.postMessage", GENERAL)[before:]} == {200}


def test_a_worker_killed_between_post_and_record_is_followed_by_one_that_looks(stack: Stack) -> None:
    """SIGKILL while Slack has the message and the row does not: an answer, then a file, each there once."""
    stack.act("model", answer="echo")
    stack.act("faults/slack", method="files.completeUploadExternal", kind="time_out_after", seconds=30)
    stack.act("faults/slack", method="chat.postMessage", kind="time_out_after", seconds=30, channel=GENERAL)
    asked = stack.say(ADA, GENERAL, f"<@U0BOT> translate\n{TEXT}")
    stack.wait(lambda: stack.replies(GENERAL, asked, "card"), "Slack has the card")
    stack.kill_deliver()
    long = "\n\n".join(f"Paragraph {n}. " + "Words that fill the line. " * 12 for n in range(300))
    job = stack.api(
        "POST", "/api/analyses", json={"text": long, "recipe": "translate", "slack_channel": RESEARCH}
    ).json()["id"]
    stack.wait(lambda: files_of(stack, job), "Slack has the file", AFTER_A_DEATH)
    stack.kill_deliver()

    stack.wait(lambda: stack.replies(GENERAL, asked, "result"), "the answer", AFTER_A_DEATH)

    def is_all_shown() -> bool:
        wanted = r'threadline_posts\{kind="(card|result|file)",state="wanted"\} [1-9]'
        return not re.search(wanted, stack.api("GET", "/metrics").text)

    stack.wait(is_all_shown, "nothing is left to show", AFTER_A_DEATH)
    assert len(stack.replies(GENERAL, asked, "card")) == 1
    assert len(stack.replies(GENERAL, asked, "result")) == 1
    assert len(files_of(stack, job)) == 1
    assert posted_twice(stack, GENERAL) == posted_twice(stack, RESEARCH) == []


def files_of(stack: Stack, job: str) -> list[dict[str, Any]]:
    """The messages with the file of a job's answer."""
    places = [
        message["ts"]
        for message in stack.look("messages", channel=RESEARCH)["messages"]
        if (message.get("metadata") or {}).get("event_payload", {}).get("job") == job
    ]
    return [
        reply
        for ts in places
        for reply in stack.thread(RESEARCH, ts)
        if any(file["name"] == f"answer-{job}.md" for file in reply.get("files", []))
    ]


@pytest.mark.parametrize(
    ("user", "text", "language", "code", "kind"),
    [
        (ADA, TEXT, "en", "missing_scope", "drop_before"),
        (MINJI, KOREAN, "ko", "not_in_channel", "drop_after"),
    ],
    ids=["en", "ko"],
)
def test_where_nobody_may_look_the_card_says_it(
    stack: Stack, user: str, text: str, language: str, code: str, kind: str
) -> None:
    """The answer's sending ended without a word and the thread cannot be read: once at most, and in the card."""
    stack.hold_model()
    asked = stack.say(user, GENERAL, f"<@U0BOT> {text}")
    stack.wait(lambda: stack.replies(GENERAL, asked, "card"), "the card")
    stack.act("faults/slack", method="conversations.replies", kind="error", error=code, times=None)
    stack.act("faults/slack", method="chat.postMessage", kind=kind, channel=GENERAL)
    stack.let_model_go()
    words = say(language, "card.unconfirmed")
    (card,) = stack.wait(
        lambda: [card for card in stack.replies(GENERAL, asked, "card") if words in card["text"]],
        "the card says the answer",
    )
    assert f"<@{user}>" in str(card["blocks"])
    assert len(stack.replies(GENERAL, asked, "result")) == (kind == "drop_after")


def test_a_card_is_found_below_a_page_of_other_messages(stack: Stack) -> None:
    """A command's card in a busy channel: what Slack did not confirm is looked for through all pages."""
    stack.act("faults/slack", method="chat.postMessage", kind="time_out_after", channel=RESEARCH, seconds=30)
    # However long it takes to write all that: nobody may look before.
    stack.act("faults/slack", method="conversations.history", kind="unavailable", times=None)
    before = len(cards(stack))
    stack.act("command", user=LEO, channel=RESEARCH, command="/analyze", text=TEXT)
    stack.wait(lambda: len(cards(stack)) > before, "Slack has the card")
    for number in range(250):
        stack.say(ADA, RESEARCH, f"Chatter {number}.")
    assert stack.http.delete("/control/faults").status_code == 200
    (anchor,) = [card["ts"] for card in cards(stack)[before:]]
    stack.answer(RESEARCH, anchor)
    looked = calls(stack, "conversations.history", RESEARCH)
    assert [bool(call["args"].get("cursor")) for call in looked][-2:] == [False, True]
    assert len(cards(stack)) == before + 1


def cards(stack: Stack) -> list[dict[str, Any]]:
    """The cards that stand in a channel by themselves."""
    return [
        message
        for message in stack.look("messages", channel=RESEARCH)["messages"]
        if kind_of(message) == "card"
    ]
