"""The answer while the model writes it: on the card, in the person's language, whatever becomes of the worker."""

from typing import Any

import pytest

from tasks.catalogue import say
from tests.acceptance.stack import ADA, GENERAL, MINJI, Stack

pytestmark = pytest.mark.timeout(300)

ENGLISH = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday. " * 4
KOREAN = "등대지기는 일기를 썼다. 아흐레 동안 비가 내렸다. 배는 일요일에 왔다. 모두가 노래했다. " * 4
# A worker's start, a sweep, and time to spare on a busy machine.
AFTER_A_DEATH = 60.0


def previews(stack: Stack, ts: str, language: str) -> list[str]:
    """What the card under a message shows of the answer just now, if it does."""
    heading = say(language, "card.written") + "\n"
    texts = [card["text"] for card in stack.replies(GENERAL, ts, "card")]
    return [text.partition(heading)[2] for text in texts if heading in text]


def slowly(stack: Stack) -> None:
    """The model says the text again, for so long that a busy machine finds the time to look at it, too."""
    stack.act("model", answer="echo", tokens_per_second=4)


def whole(text: str) -> str:
    """Words alone, so that a preview can be looked for in its answer."""
    return " ".join(text.replace("…", " ").split())


@pytest.mark.parametrize(
    ("user", "text", "language"), [(ADA, ENGLISH, "en"), (MINJI, KOREAN, "ko")], ids=["en", "ko"]
)
def test_a_card_shows_the_answer_growing(stack: Stack, user: str, text: str, language: str) -> None:
    """At least twice, each time more of it; then the answer comes once, and the card is a card again."""
    slowly(stack)
    ts = stack.say(user, GENERAL, f"<@U0BOT> translate\n{text}")
    (first,) = stack.wait(lambda: previews(stack, ts, language), "a preview")
    (second,) = stack.wait(
        lambda: [seen for seen in previews(stack, ts, language) if seen != first], "a longer preview"
    )
    stack.act("model", tokens_per_second=0)
    answer = stack.answer(GENERAL, ts)
    assert whole(first)[-40:] in whole(answer["text"])
    assert whole(second)[-40:] in whole(answer["text"])
    stack.wait(lambda: not previews(stack, ts, language), "the card without it")
    assert [len(stack.replies(GENERAL, ts, kind)) for kind in ("card", "result")] == [1, 1]


def test_a_worker_killed_in_the_middle_of_a_preview_leaves_one_card_and_one_answer(stack: Stack) -> None:
    """SIGKILL of deliver while Slack holds the edit and the row does not know."""
    slowly(stack)
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> translate\n{ENGLISH}")
    stack.wait(lambda: previews(stack, ts, "en"), "a preview")
    before = len(edits(stack))
    stack.act("faults/slack", method="chat.update", kind="time_out_after", seconds=30, channel=GENERAL)
    stack.wait(lambda: len(edits(stack)) > before, "an edit that Slack does not confirm")
    stack.kill_deliver()
    stack.wait(lambda: stack.replies(GENERAL, ts, "result"), "the answer", AFTER_A_DEATH)
    stack.wait(lambda: not previews(stack, ts, "en"), "the card without a preview", AFTER_A_DEATH)
    assert [len(stack.replies(GENERAL, ts, kind)) for kind in ("card", "result")] == [1, 1]


def test_a_request_stopped_in_the_middle_shows_no_half_of_an_answer(stack: Stack) -> None:
    """The card says that it was cancelled, and what was written by then is gone."""
    slowly(stack)
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> translate\n{ENGLISH}")
    stack.wait(lambda: previews(stack, ts, "en"), "a preview")
    stack.say(ADA, GENERAL, "<@U0BOT> stop", thread_ts=ts)
    cancelled = say("en", "card.cancelled", recipe="").strip().rpartition(" ")[2]
    stack.wait(lambda: cancelled in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says cancelled")
    assert previews(stack, ts, "en") == []
    assert stack.replies(GENERAL, ts, "result") == []


def edits(stack: Stack) -> list[dict[str, Any]]:
    """The edits that Slack was asked for in a channel."""
    calls = stack.look("calls", method="chat.update")["calls"]
    return [call for call in calls if call["args"].get("channel") == GENERAL]
