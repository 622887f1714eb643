"""Ask in Slack, get the answer in the thread: every entry point, over both transports, with real processes."""

import pathlib
import re

import pytest

from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, RESEARCH, SECRET, Stack, kind_of

pytestmark = pytest.mark.timeout(300)

ARTICLES = pathlib.Path(__file__).parents[1] / "unit" / "articles"
KOREAN = (
    "서울시는 올해 도서관 열 곳을 새로 짓는다. 도서관은 주민이 걸어서 십 분 안에 닿는 곳에 선다. "
    "예산은 삼백억 원이다. 첫 도서관은 내년 봄에 문을 연다. 주민들은 늦은 시간까지 열어 달라고 했다. "
) * 5


def english_report(words: int) -> str:
    """A report of real sentences, each paragraph numbered, so that it is long and has no two equal parts."""
    article = (ARTICLES / "harbour.txt").read_text("utf-8")
    paragraphs, count, number = [], 0, 0
    while count < words:
        number += 1
        paragraphs.append(f"Section {number}. {article}")
        count += len(paragraphs[-1].split())
    return " ".join("\n\n".join(paragraphs).split(" ")[:words])


def test_a_mention_with_a_long_report_gets_a_card_and_an_answer(stack: Stack) -> None:
    """5,000 English words go through parts and a join, and come back as one answer that mentions the asker."""
    ts = stack.say(ADA, GENERAL, "<@U0BOT> " + english_report(5000))
    answer = stack.answer(GENERAL, ts)
    assert f"<@{ADA}>" in answer["text"]
    assert "LLM_URL" in answer["text"]
    cards = stack.replies(GENERAL, ts, "card")
    assert len(cards) == 1
    stack.wait(lambda: "done in" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says done")
    assert len(stack.replies(GENERAL, ts, "result")) == 1


def test_a_slash_command_hangs_its_answer_from_a_card_in_the_channel(stack: Stack) -> None:
    """A Korean article by command: the card is the anchor, in the asker's language, the answer its reply."""
    before = {message["ts"] for message in stack.look("messages", channel=RESEARCH)["messages"]}
    said = stack.act("command", user=MINJI, channel=RESEARCH, command="/analyze", text=f"요약 {KOREAN}")
    assert said["status"] == 200
    assert not said["ack"]

    def anchors() -> list[str]:
        messages = stack.look("messages", channel=RESEARCH)["messages"]
        return [
            message["ts"]
            for message in messages
            if message["ts"] not in before and kind_of(message) == "card"
        ]

    (anchor,) = stack.wait(anchors, "the anchor card")
    answer = stack.answer(RESEARCH, anchor)
    assert re.search("도서관", answer["text"])
    stack.wait(
        lambda: any(
            "마쳤습니다" in message["text"]
            for message in stack.look("messages", channel=RESEARCH)["messages"]
            if message["ts"] == anchor
        ),
        "the card in Korean",
    )


def test_a_follow_up_mention_without_text_takes_the_thread(stack: Stack) -> None:
    """The thread's messages are the input, and the answer comes in the same thread."""
    ts = stack.say(
        ADA, GENERAL, "The library opens at nine. The library closes at six. Bicycles stay outside."
    )
    stack.say(
        LEO, GENERAL, "The museum next to the library opens at ten. Tickets cost five euros.", thread_ts=ts
    )
    stack.say(MINJI, GENERAL, "<@U0BOT>", thread_ts=ts)
    answer = stack.answer(GENERAL, ts)
    assert f"<@{MINJI}>" in answer["text"]
    assert re.search("library|museum|Tickets|Bicycles", answer["text"])


def test_a_question_about_a_thread_is_answered_from_the_thread(stack: Stack) -> None:
    """With `ask`, the words of the mention are the question and the thread is the text."""
    ts = stack.say(
        ADA, GENERAL, "The budget is 40,000 euros. The deadline is the third of May. Lunch is at noon."
    )
    stack.say(LEO, GENERAL, "<@U0BOT> ask When is the deadline?", thread_ts=ts)
    assert "third of May" in stack.answer(GENERAL, ts)["text"]


def test_a_direct_message_is_answered_in_its_thread(stack: Stack) -> None:
    """A DM needs no mention; Korean in, Korean out."""
    ts = stack.say(MINJI, "D0MINJI", KOREAN)
    assert "도서관" in stack.answer("D0MINJI", ts)["text"]


def test_the_shortcut_answers_under_the_message(stack: Stack) -> None:
    """Somebody else's message is analyzed, the person who used the shortcut is mentioned."""
    ts = stack.say(
        ADA, GENERAL, "Sales rose by nine percent. Costs fell by two. The team grew to forty people."
    )
    assert (
        stack.act("shortcut", user=LEO, channel=GENERAL, ts=ts, callback_id="analyze_message")["status"]
        == 200
    )
    answer = stack.answer(GENERAL, ts)
    assert f"<@{LEO}>" in answer["text"]


def test_help_an_unknown_recipe_and_no_text_answer_at_once(stack: Stack) -> None:
    """What needs no model is said at once, to that person alone, in their language."""
    help_text = stack.act("command", user=MINJI, channel=GENERAL, command="/analyze", text="help")["ack"][
        "text"
    ]
    assert all(
        name in help_text
        for name in ("summarize", "key-points", "sentiment", "action-items", "translate", "ask")
    )
    assert "레시피" in help_text
    unknown = stack.act("command", user=ADA, channel=GENERAL, command="/analyze", text="sumarize this text")[
        "ack"
    ]
    assert "`summarize`" in unknown["text"]
    stack.act("command", user=ADA, channel=GENERAL, command="/analyze", text="")
    # Without a text it is the form that answers.
    assert [view["callback_id"] for view in stack.look("views", user=ADA)["views"]] == ["analysis"]


def test_a_channel_without_the_bot_says_how_to_invite_it_and_answers_by_direct_message(stack: Stack) -> None:
    """Nobody else in that channel sees it; the answer still arrives."""
    stack.act(
        "command", user=LEO, channel=SECRET, command="/analyze", text="The door is red. The house is old."
    )
    words = stack.wait(
        lambda: [
            m["text"] for m in stack.look("ephemerals", user=LEO)["messages"] if m.get("channel") == SECRET
        ],
        "a word for the person alone",
    )
    assert "/invite" in words[0]
    (anchor,) = stack.wait(
        lambda: [
            m["ts"] for m in stack.look("messages", channel="D0LEO")["messages"] if kind_of(m) == "card"
        ],
        "a card by direct message",
    )
    assert "door" in stack.answer("D0LEO", anchor)["text"]


def test_results_cannot_ping_a_channel(stack: Stack) -> None:
    """A model that was talked into <!channel> pings nobody, and its links do not unfurl."""
    stack.act(
        "model",
        answer="fixed",
        text="Hello <!channel> and <!here> and <@U0LEO> **굵게**입니다. https://example.com",
    )
    ts = stack.say(ADA, GENERAL, "<@U0BOT> Please say hello to the whole channel, all of it.")
    answer = stack.answer(GENERAL, ts)
    whole = str(answer["blocks"]) + answer["text"]
    assert "<!channel>" not in whole
    assert "<!here>" not in whole
    assert "'broadcast'" not in whole
    assert "U0LEO" not in whole.replace("<@U0ADA>", "") or "<@U0LEO>" not in whole
    posted = [
        c for c in stack.look("calls", method="chat.postMessage")["calls"] if c.get("ts") == answer["ts"]
    ]
    assert str(posted[0]["args"]["unfurl_links"]).lower() in {"false", "0"}


def test_a_long_answer_comes_whole_and_in_order(stack: Stack) -> None:
    """A translation of many parts: every part in its place, over several messages of one thread."""
    stack.act("model", answer="echo")
    ts = stack.say(ADA, RESEARCH, "<@U0BOT> translate\n" + numbered_paragraphs(80))
    results = stack.wait(
        lambda: (
            (found := stack.replies(RESEARCH, ts, "result"))
            and "Paragraph 79 " in str(found[-1]["blocks"])
            and found
        ),
        "the last part",
    )
    assert len(results) > 1
    assert [int(n) for part in results for n in re.findall(r"Paragraph (\d+) ", str(part["blocks"]))] == list(
        range(80)
    )


def test_a_very_long_answer_comes_as_a_file(stack: Stack) -> None:
    """What would flood the thread begins there and hangs from it as a file."""
    stack.act("model", answer="echo")
    text = numbered_paragraphs(300)
    asked = {"text": text, "recipe": "translate", "slack_channel": RESEARCH}
    job = stack.api("POST", "/api/analyses", json=asked).json()["id"]

    def anchors() -> list[str]:
        messages = stack.look("messages", channel=RESEARCH)["messages"]
        return [
            m["ts"] for m in messages if (m.get("metadata") or {}).get("event_payload", {}).get("job") == job
        ]

    (anchor,) = stack.wait(anchors, "the card")
    (message,) = stack.wait(lambda: [m for m in stack.thread(RESEARCH, anchor) if m.get("files")], "the file")
    assert message["files"][0]["name"] == f"answer-{job}.md"
    assert len(stack.replies(RESEARCH, anchor, "result")) == 1


def numbered_paragraphs(count: int) -> str:
    """Paragraphs that can be told apart and counted."""
    return "\n\n".join(
        f"Paragraph {n} of the text. " + "Words that fill the line. " * 12 for n in range(count)
    )
