"""The pure views: whatever comes in, Slack takes what comes out, and only the asker is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.deliver import blocks, markdown
from tasks.deliver.blocks import Button, Confirm, Thumbs
from tests import slack_limits

USER = "U012ABCDEF"
THUMBS = Thumbs("feedback", "좋은 답", "아쉬운 답", "job:1")
FAMILY = "👨‍👩‍👧"
RETRY = Button(
    "retry", "다시 시도", "job:1", "primary", Confirm("정말?", "다시 줄을 섭니다.", "네", "아니요")
)


def good(message, allow_user=None):
    assert slack_limits.violations(message, allow_user=allow_user) == []
    return message


def test_card_is_one_section_and_its_buttons():
    message = good(blocks.card(["*요약*", "줄에서 3번째, 약 2분"], [Button("cancel", "취소", "1", "danger")]))
    assert message.blocks[0]["text"] == {"type": "mrkdwn", "text": "*요약*\n줄에서 3번째, 약 2분"}
    assert message.text == "*요약*\n줄에서 3번째, 약 2분"
    assert message.blocks[1]["elements"][0]["style"] == "danger"


def test_result_names_its_reader_first_and_keeps_footer_and_thumbs_last():
    rendered = markdown.render("**끝**났습니다").messages[0]
    message = good(blocks.result(rendered, blocks.mention(USER), "12초", THUMBS), USER)
    assert [block["type"] for block in message.blocks] == [
        "section",
        "rich_text",
        "context",
        "context_actions",
    ]
    thumbs = message.blocks[-1]["elements"][0]
    assert thumbs["positive_button"]["value"] == "job:1:up"
    assert thumbs["negative_button"]["value"] == "job:1:down"
    assert message.text == f"<@{USER}> 끝났습니다"
    assert blocks.result(rendered, USER).text == message.text


@pytest.mark.parametrize("who", ["<!channel>", "U1> <!here>", "<@u012>", "<#C123456>", "", "S0123456", None])
def test_result_mentions_nobody_but_a_user(who):
    rendered = markdown.render("ok").messages[0]
    assert good(blocks.result(rendered, who)).text == "ok"


def test_failure_says_what_failed_what_to_do_and_the_reference():
    message = good(blocks.failure("Too long", "Send less.", "Reference: `a1`", USER, [RETRY]), USER)
    assert message.blocks[0]["text"]["text"] == f"<@{USER}> *Too long*\nSend less."
    assert message.blocks[1]["elements"][0]["text"] == "Reference: `a1`"
    assert message.blocks[2]["elements"][0]["value"] == "job:1"


@pytest.mark.parametrize(
    "user_id", ["", "U", "u0123", "U012|x", "U012>", "!here", "U012\n", "S0123456", "Ｕ０１２"]
)
def test_mention_refuses_what_is_no_user(user_id):
    with pytest.raises(ValueError, match="not a Slack user id"):
        blocks.mention(user_id)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<!channel>", "&lt;\u2060!channel&gt;"),
        ("@here 오세요", "@\u2060here 오세요"),
        ("me@here.com", "me@here.com"),
        ("\u202eabc\x00\u200b", "abc"),
    ],
)
def test_escape_makes_text_of_people_harmless(written, shown):
    assert blocks.escape(written) == shown


def test_long_texts_are_cut_between_graphemes_and_say_so():
    button = good(blocks.card(["x"], [Button("a" * 300, FAMILY * 40, "v" * 3000)])).blocks[1]["elements"][0]
    text = button["text"]["text"]
    assert text.endswith("…")
    assert text[:-1] == FAMILY * (len(text[:-1]) // len(FAMILY))
    said = good(blocks.card(["한" * 5000])).blocks[0]["text"]["text"]
    assert said.endswith("…")
    assert len(said) > 2900


def test_a_cut_leaves_no_half_entity_or_mention():
    for length in range(2970, 3002):
        good(blocks.card(["x" * length + "&amp;&lt;" + f"<@{USER}>" + "y" * 50]), USER)


def test_no_view_passes_on_a_broadcast():
    good(blocks.card(["<!channel> < !here> <!subteam^S1>"]))
    good(blocks.failure("<!here>", "<!everyone|x>", "<!date^1^x|y>"))


def test_a_full_result_still_fits_with_everything_around_it():
    for rendered in markdown.render("# 제목\n\n문단입니다.\n\n" * 150, max_messages=9).messages:
        good(blocks.result(rendered, USER, "끝 " * 900, THUMBS), USER)


nasty = st.text(st.sampled_from("<>!@#&;|^ahere한\u202e\u200b\u200d👨\n*`") | st.characters(), max_size=400)


@given(st.lists(nasty, max_size=5), nasty, st.integers(1, 20))
def test_views_hold_the_limits_whatever_comes_in(lines, text, times):
    long = text * times
    button = Button(text, long, long, text, Confirm(long, long, long, long), heard=long)
    escaped = [blocks.escape(line * times) for line in lines]
    good(blocks.card(escaped, [button] * times))
    good(blocks.failure(blocks.escape(long), blocks.escape(text), blocks.escape(long), text, [button]))
