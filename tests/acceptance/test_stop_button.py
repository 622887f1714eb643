"""Slack's own Stop button: there while the model works; pressed, it frees the model."""

from typing import Any

import pytest

from tasks import recipes
from tasks.catalogue import say
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, RESEARCH, Stack, kind_of

pytestmark = pytest.mark.timeout(300)

ENGLISH = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday. " * 20
KOREAN = "등대지기는 일기를 썼다. 아흐레 동안 비가 내렸다. 배는 일요일에 왔다. 모두가 노래했다. " * 20


def status(stack: Stack, channel: str, ts: str) -> str | None:
    """Where Slack says that the session of a thread stands."""
    sessions = stack.look("state")["sessions"]
    found = [one["status"] for one in sessions if (one["channel"], one["thread_ts"]) == (channel, ts)]
    return found[0] if found else None


def calls_open(stack: Stack) -> int:
    """Calls that the model server works on."""
    return int(stack.look("model", latest=0)["in_flight"])


@pytest.mark.parametrize(
    ("user", "text", "language"), [(ADA, ENGLISH, "en"), (MINJI, KOREAN, "ko")], ids=["en", "ko"]
)
def test_pressed_it_stops_the_request_and_frees_the_model(
    stack: Stack, user: str, text: str, language: str
) -> None:
    """By its requester alone; the card says so, and the button is gone."""
    stack.act("model", answer="echo", tokens_per_second=10)
    ts = stack.say(user, GENERAL, f"<@U0BOT> translate\n{text}")
    stack.wait(lambda: status(stack, GENERAL, ts) == "processing", "the Stop button")
    stack.wait(lambda: calls_open(stack) == 1, "the model works on it")
    stack.act("stop", user=LEO, channel=GENERAL, thread_ts=ts)
    stack.wait(lambda: stack.look("state")["events_under_way"] == 0, "the bot has heard of it")
    assert calls_open(stack) == 1
    stack.act("stop", user=user, channel=GENERAL, thread_ts=ts)
    stack.wait(lambda: calls_open(stack) == 0, "the model is free")
    stack.wait(lambda: status(stack, GENERAL, ts) == "active", "the button is gone")
    called = recipes.load().called("translate", language)
    cancelled = say(language, "card.cancelled", recipe=called)
    stack.wait(lambda: stack.replies(GENERAL, ts, "card")[0]["text"] == cancelled, "the card says cancelled")
    assert stack.replies(GENERAL, ts, "result") == []


def test_a_request_that_is_answered_takes_its_button_away(stack: Stack) -> None:
    """Of a command the session is the thread under its card."""
    before = {message["ts"] for message in stack.look("messages", channel=RESEARCH)["messages"]}
    stack.act("model", answer="echo")
    stack.hold_model()
    stack.act("command", user=ADA, channel=RESEARCH, command="/analyze", text=f"translate {ENGLISH[:400]}")

    def anchor() -> list[dict[str, Any]]:
        messages = stack.look("messages", channel=RESEARCH)["messages"]
        return [one for one in messages if one["ts"] not in before and kind_of(one) == "card"]

    (card,) = stack.wait(anchor, "the card")
    stack.wait(lambda: status(stack, RESEARCH, card["ts"]) == "processing", "the Stop button")
    stack.let_model_go()
    stack.answer(RESEARCH, card["ts"])
    stack.wait(lambda: status(stack, RESEARCH, card["ts"]) == "active", "the button is gone")


def test_where_the_app_is_no_agent_all_else_works(stack: Stack) -> None:
    """Slack refuses the status, and nobody notices."""
    stack.act(
        "faults/slack", method="agents.sessions.setStatus", kind="error", error="missing_scope", times=None
    )
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> summarize\n{ENGLISH}")
    stack.answer(GENERAL, ts)
    stack.wait(lambda: "done in" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says done")
    assert status(stack, GENERAL, ts) is None
