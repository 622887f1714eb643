"""Where the bot may not speak, and what is asked while Slack renews its connections: every request is answered."""

import json

import pytest

from playground.slack.state import BOT_USER
from tasks.catalogue import say
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, Stack

pytestmark = pytest.mark.timeout(120)

TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."
KOREAN = "회의는 월요일에 열렸다. 예산은 삼백만 원으로 정했다. 민지는 금요일까지 초안을 쓴다."


def cards(stack: Stack, channel: str) -> dict[str, str]:
    """The cards that are messages of a channel's own, by ts."""
    found = stack.look("messages", channel=channel)["messages"]
    return {
        one["ts"]: json.dumps(one, ensure_ascii=False)
        for one in found
        if (one.get("metadata") or {}).get("event_payload", {}).get("kind") == "card"
    }


def moved(stack: Stack, direct: str, before: dict[str, str], code: str, language: str) -> None:
    """The answer comes by direct message, and says why, with what would help."""
    advice = say(language, f"channel.{code}")
    (ts,) = stack.wait(
        lambda: [
            ts
            for ts, card in cards(stack, direct).items()
            if ts not in before and advice in json.loads(card)["text"]
        ],
        "the card in the direct message",
    )
    stack.answer(direct, ts)


@pytest.mark.parametrize("kind", ["private", "direct"])
def test_where_the_bot_is_not_the_answer_comes_by_direct_message(stack: Stack, kind: str) -> None:
    """A private channel without the bot, and a conversation of two people: the command works in both."""
    place = {"name": "closed", "is_private": True, "members": [MINJI]}
    if kind == "direct":
        place = {"is_im": True, "members": [MINJI, LEO]}
    channel = stack.act("channel", **place)["channel"]["id"]
    before = cards(stack, "D0MINJI")
    asked = stack.act("command", user=MINJI, channel=channel, command="/analyze", text=KOREAN)
    assert asked["status"] == 200
    moved(stack, "D0MINJI", before, "channel_not_found", "ko")
    assert stack.look("messages", channel=channel)["messages"] == []


def test_a_channel_that_is_archived_meanwhile(stack: Stack) -> None:
    """The answer of a request that waits there comes by direct message."""
    channel = stack.act("channel", name="ending", members=[ADA, BOT_USER])["channel"]["id"]
    before = cards(stack, "D0ADA")
    stack.hold_model()
    asked = stack.say(ADA, channel, f"<@{BOT_USER}> {TEXT}")
    stack.wait(lambda: stack.replies(channel, asked, "card"), "the card")
    stack.act("channel", channel=channel, archive=True)
    stack.let_model_go()
    moved(stack, "D0ADA", before, "is_archived", "en")
    assert stack.replies(channel, asked, "result") == []


def test_an_edit_that_brings_the_mention_asks(stack: Stack) -> None:
    """Once; another edit of an answered message asks nothing more."""
    ts = stack.say(LEO, GENERAL, TEXT)
    stack.act("edit", user=LEO, channel=GENERAL, ts=ts, text=f"<@{BOT_USER}> {TEXT}")
    stack.answer(GENERAL, ts)
    stack.act("edit", user=LEO, channel=GENERAL, ts=ts, text=f"<@{BOT_USER}> {TEXT} It left on a Monday.")
    again = stack.say(LEO, GENERAL, f"<@{BOT_USER}> {TEXT}")
    stack.answer(GENERAL, again)
    assert len(stack.replies(GENERAL, ts, "card")) == 1


def test_what_is_asked_while_slack_renews_a_connection_is_answered(stack: Stack) -> None:
    """Over Socket Mode; by HTTP there is none to renew."""
    stack.act("socket", action="warning", one=True)
    renewed = stack.act("socket", action="refresh_requested", one=True)["connections"]
    asked = [stack.say(ADA, GENERAL, f"<@{BOT_USER}> {TEXT}")]
    done = stack.act("command", user=ADA, channel=GENERAL, command="/analyze", text=TEXT)
    assert done["status"] == 200
    if renewed:
        # Else the one that is dropped may be the only one, and Slack does not repeat an event for ever.
        stack.wait(lambda: stack.look("state")["sockets"] == 2, "the other connection is there")
    stack.act("socket", action="drop", one=True)
    asked.append(stack.say(LEO, GENERAL, f"<@{BOT_USER}> {TEXT}"))
    for ts in asked:
        stack.answer(GENERAL, ts)
    if renewed:
        stack.wait(lambda: stack.look("state")["sockets"] == 2, "both connections are back")
