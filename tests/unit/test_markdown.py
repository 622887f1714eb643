"""Markdown from a model: it reads right in Slack, pings nobody, fits, and loses nothing."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.deliver import markdown, verify
from tasks.deliver.message import Message
from tests import slack_limits

J = "\u2060"
CODE = frozenset({"code"})
BOLD = frozenset({"bold"})


def good(rendering):
    """The messages' blocks in one list, after Slack's limits and dangers were looked for."""
    for message in rendering.messages:
        assert slack_limits.violations(message) == []
        assert verify.problems(message) == []
    return [block for message in rendering.messages for block in message.blocks]


def blocks_of(text, **options):
    return good(markdown.render(text, **options))


def runs_of(text):
    """(text, styles or url) of the only paragraph of `text`."""
    (block,) = blocks_of(text)
    (section,) = block["elements"]
    return [(run["text"], run.get("url") or "+".join(run.get("style", ()))) for run in section["elements"]]


def said(rendering):
    """All that a rendering shows, block after block."""
    return "\n".join(text for message in rendering.messages for text in slack_limits.texts(message.blocks))


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("한글**강조**입니다", [("한글", ""), ("강조", "bold"), ("입니다", "")]),
        ("**괄호(예시)**는", [("괄호(예시)", "bold"), ("는", "")]),
        ('**"따옴표"**가', [('"따옴표"', "bold"), ("가", "")]),
        ("가**“인용”**을", [("가", ""), ("“인용”", "bold"), ("을", "")]),
        ("**주의:**내용", [("주의:", "bold"), ("내용", "")]),
        ("`코드`를", [("코드", "code"), ("를", "")]),
        ("~~취소~~는", [("취소", "strike"), ("는", "")]),
        ("*기울임*이", [("기울임", "italic"), ("이", "")]),
        ("***둘 다***도", [("둘 다", "bold+italic"), ("도", "")]),
        ("**굵은 `코드`와**", [("굵은 ", "bold"), ("코드", "bold+code"), ("와", "bold")]),
        ("[문서](https://a.kr/x)를", [("문서", "https://a.kr/x"), ("를", "")]),
        ("https://a.kr/x를", [("https://a.kr/x", "https://a.kr/x"), ("를", "")]),
        ("https://a.kr/가", [("https://a.kr/가", "https://a.kr/%EA%B0%80")]),
        ("(https://a.kr/x).", [("(", ""), ("https://a.kr/x", "https://a.kr/x"), (").", "")]),
        ("snake_case_name", [("snake_case_name", "")]),
        ("2 * 3 * 4", [("2 * 3 * 4", "")]),
        ("a < b && b > c", [("a < b && b > c", "")]),
        ("<b>x</b> <script>", [("<b>x</b> <script>", "")]),
        ("x[^1]", [("x[^1]", "")]),
        ("$a_1*b_2*c$ \\(x_i\\)", [("$a_1*b_2*c$ \\(x_i\\)", "")]),
        ("\\[ \\frac{a}{b} \\] and $$x*y*z$$", [("\\[ \\frac{a}{b} \\] and $$x*y*z$$", "")]),
        ("$5 **and** $10", [("$5 ", ""), ("and", "bold"), (" $10", "")]),
        ("first\r\nsecond", [("first\nsecond", "")]),
        ("a\x00b\x1b[31mc\u202ed\u200be", [("abcde", "")]),
        ("&lt;b&gt; &amp; &copy;", [("<b> & ©", "")]),
        ("👨‍👩‍👧 1️⃣ \ud83d\ude00 \ud83d", [("👨‍👩‍👧 1️⃣ 😀 \ufffd", "")]),
    ],
)
def test_inline_markdown_becomes_styled_runs(text, runs):
    assert runs_of(text) == runs


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("<!channel>", [(f"<{J}!channel>", "")]),
        ("&lt;!here&gt;", [(f"<{J}!here>", "")]),
        ("&#60;!everyone&#x3e;", [(f"<{J}!everyone>", "")]),
        ("`<!channel>`", [(f"<{J}!channel>", "code")]),
        ("<!chan**nel>**", [(f"<{J}!chan", ""), ("nel>", "bold")]),
        ("@chan*nel*", [(f"@{J}chan", ""), ("nel", "italic")]),
        ("<!chan\u200bnel> @h\u200dere", [(f"<{J}!channel> @{J}here", "")]),
        ("＜！channel＞ ＠ｈｅｒｅ", [(f"＜{J}！channel＞ ＠{J}ｈｅｒｅ", "")]),
        ("@\u3164here ＜\u200d！ｈｅｒｅ＞", [(f"@{J}\u3164here ＜{J}\u200d！ｈｅｒｅ＞", "")]),
        ("@here @CHANNEL @everyone는", [(f"@{J}here @{J}CHANNEL @{J}everyone는", "")]),
        ("<!subteam^S123|@dev>", [(f"<{J}!subteam^S123|@dev>", "")]),
        ("<@U123> <@W9|x>", [(f"<{J}@U123> <{J}@W9|x>", "")]),
        ("<#C123|general>", [(f"<{J}#C123|general>", "")]),
        ("<!date^1^{date}|x>", [(f"<{J}!date^1^{{date}}|x>", "")]),
        ("[<!channel>](https://a.kr)", [(f"<{J}!channel>", "https://a.kr")]),
        ("![@here](https://a.kr/i.png)", [(f"@{J}here", "https://a.kr/i.png")]),
        ("me@here.com", [("me@here.com", "")]),
        ("`<!doctype html><!-- x -->`", [("<!doctype html><!-- x -->", "code")]),
    ],
)
def test_what_pings_is_shown_and_does_not_ping(text, runs):
    assert runs_of(text) == runs


@pytest.mark.parametrize(
    "where", ["# {}", "- {}", "> {}", "```\n{}\n```", "|a|\n|-|\n|{}|", "|{}|\n|-|\n|b|", "1. {}"]
)
@pytest.mark.parametrize(
    "ping", ["<!channel>", "<@U0123>", "@here", "<!subteam^S1>", "&lt;!here&gt;", "\\<!here>"]
)
def test_pings_are_defused_in_every_kind_of_block(where, ping):
    rendering = markdown.render(where.format(ping))
    good(rendering)
    assert J in said(rendering)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("[x](javascript:alert(1))", [("x (javascript:alert(1))", "")]),
        ("<javascript:x>", [("<javascript:x>", "")]),
        ("[x](slack://open)", [("x (slack://open)", "")]),
        ("[x](data:text/html,a)", [("x (data:text/html,a)", "")]),
        ("[x](/local)", [("x (/local)", "")]),
        ("[x](mailto:a@b.kr)", [("x", "mailto:a@b.kr")]),
        ("<a.b@c.kr>", [("a.b@c.kr", "mailto:a.b@c.kr")]),
        ("[google.com](https://evil.kr/a)", [("google.com (evil.kr)", "https://evil.kr/a")]),
        ("[ｇｏｏｇｌｅ．ｃｏｍ](https://evil.kr)", [("ｇｏｏｇｌｅ．ｃｏｍ (evil.kr)", "https://evil.kr")]),
        ("[x](https://google.com@evil.kr)", [("x", "https://google.com@evil.kr")]),
        (
            "[google.com](https://google.com@evil.kr)",
            [("google.com (evil.kr)", "https://google.com@evil.kr")],
        ),
        ("[**bank**.com](https://evil.kr)", [("bank.com (evil.kr)", "https://evil.kr")]),
        ("[google.com에서](https://docs.google.com/a)", [("google.com에서", "https://docs.google.com/a")]),
        ("[https://a.kr/b.html](https://a.kr/b.html)", [("https://a.kr/b.html", "https://a.kr/b.html")]),
        ("![그림](https://a.kr/i.png)", [("그림", "https://a.kr/i.png")]),
        ("![](https://a.kr/i.png)", [("https://a.kr/i.png", "https://a.kr/i.png")]),
        ("[x](https://a.kr/<!channel>)", [("x", "https://a.kr/%3C!channel%3E")]),
        ("**[x](https://a.kr)**", [("x", "https://a.kr")]),
        ("[x](<https://a.kr/a b|c>)", [("x", "https://a.kr/a%20b%7Cc")]),
        ("[x](https://한국.kr/가)", [("x", "https://xn--3e0b707e.kr/%EA%B0%80")]),
    ],
)
def test_links_lead_where_they_say(text, runs):
    assert runs_of(text) == runs


def test_headings_are_headers_or_bold_lines():
    first, second, third, fourth = blocks_of(f"# 제**목**\n### 작은 제목\n## `코드`\n# {'긴' * 160}")
    assert first["text"] == {"type": "plain_text", "text": "제목", "emoji": False}
    assert [block["type"] for block in (second, third, fourth)] == ["rich_text"] * 3
    assert second["elements"][0]["elements"] == [
        {"type": "text", "text": "작은 제목", "style": {"bold": True}}
    ]


def test_lists_nest_count_on_and_show_tasks():
    (block,) = blocks_of("3. 셋\n   - [ ] 할 일\n   - [x] 한 일\n4. 넷\n\n   더")
    lists = block["elements"]
    assert [(one["style"], one["indent"], one.get("offset", 0)) for one in lists] == [
        ("ordered", 0, 2),
        ("bullet", 1, 0),
        ("ordered", 0, 3),
    ]
    assert [slack_limits.texts(one) for one in lists] == [["셋"], ["☐ 할 일", "☑ 한 일"], ["넷\n더"]]


def test_quotes_keep_their_lists_and_code_behind_the_bar():
    (block,) = blocks_of("> 하나\n>\n> 둘\n> - 셋\n>\n> ```py\n> x\n> ```")
    quote, items, code = block["elements"]
    assert "".join(slack_limits.texts(quote)) == "하나\n\n둘"
    assert (items["border"], code["border"], code["language"]) == (1, 1, "py")


@pytest.mark.parametrize(
    "text", ["```python\na\n\n  b < c", "```python\na\n\n  b < c\n```", "~~~python x\na\n\n  b < c\n~~~"]
)
def test_a_fence_keeps_its_code_and_language_and_is_always_closed(text):
    (block,) = blocks_of(text)
    (code,) = block["elements"]
    assert (code["language"], slack_limits.texts(code)) == ("python", ["a\n\n  b < c"])
    assert markdown.render(text).messages[0].text == "```\na\n\n  b &lt; c\n```"


def test_a_rule_is_a_divider_even_right_below_text():
    assert [block["type"] for block in blocks_of("글\n---\n글\n\n***\n글")] == [
        "rich_text",
        "divider",
        "rich_text",
        "divider",
        "rich_text",
    ]


def test_reference_definitions_and_footnotes_stay_readable():
    assert "note.kr" in said(markdown.render("글[^1]\n\n[^1]: https://note.kr\n[2]: https://b.kr"))


def test_fallback_says_what_the_blocks_say():
    (message,) = markdown.render(
        "# 제목\n**굵게** a<b [x|y](https://a.kr/?a=1&b=2)\n- 하나\n  1. 둘\n\n> 인용"
    ).messages
    assert message.text == (
        "제목\n\n굵게 a&lt;b <https://a.kr/?a=1&amp;b=2|x¦y>\n\n• 하나\n    1. 둘\n\n> 인용"
    )


def table(rows, columns=2, cell="x"):
    line = "|" + f"{cell}|" * columns + "\n"
    return line + "|" + "-|" * columns + "\n" + line * rows


def test_a_table_that_fits_is_slacks_own():
    (block,) = blocks_of("|이름|**값**|\n|:-|-:|\n|가|`1`|\n||나|")
    assert [setting["align"] for setting in block["column_settings"]] == ["left", "right"]
    assert slack_limits.texts(block["rows"]) == ["이름", "값", "가", "1", "-", "나"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (table(99), "table"),
        (table(100), "rich_text"),
        (table(1, 20), "table"),
        (table(1, 21), "rich_text"),
        (table(9, 2, "한" * 500), "table"),
        (table(10, 2, "한" * 500), "rich_text"),
    ],
)
def test_a_table_beyond_slacks_limits_is_code(text, kind):
    assert {block["type"] for block in blocks_of(text)} == {kind}


def test_a_table_as_code_is_aligned_by_width_on_screen():
    (block,) = blocks_of("> |이름|b|\n> |-|-|\n> |a|c|")
    assert slack_limits.texts(block) == ["이름 | b\n-----|--\na    | c"]


def test_a_table_row_with_more_cells_than_its_header_is_not_cut_off():
    (block,) = blocks_of("|a|b|\n|-|-|\n|1|2|**3**|")
    assert slack_limits.texts(block) == ["|a|b|\n|-|-|\n|1|2|**3**|"]


@pytest.mark.parametrize(
    "text", ["````\n```\nx\n```\n````", "`````", "a ``` b", "# `` ``` ``", "````\n`````x\n````"]
)
def test_backticks_in_the_text_open_no_fence_in_the_fallback(text):
    good(markdown.render(text))


def test_each_message_holds_one_table_and_many_tables_become_code():
    few = markdown.render(f"{table(2)}\n글\n\n" * 3)
    assert [[block["type"] for block in message.blocks] for message in few.messages] == [
        ["table", "rich_text"]
    ] * 3
    many = markdown.render(f"{table(2)}\n글\n\n" * 6)
    assert len(many.messages) == 1
    good(few)
    good(many)


def test_short_text_is_one_message():
    assert len(markdown.render("네.").messages) == 1


@pytest.mark.parametrize("text", ["", " \n\x00\u200b", "#", "&#x202e;", "-", "> ", "```\n```"])
def test_what_says_nothing_is_no_message(text):
    assert markdown.render(text) == markdown.Rendering(())


def test_a_long_answer_is_split_at_blocks_and_a_heading_goes_with_its_text():
    text = "\n\n".join(f"## 제목 {n}\n\n{'문장입니다. ' * 60}" for n in range(40))
    rendering = markdown.render(text)
    assert 2 <= len(rendering.messages) <= 4
    assert rendering.file is None
    for message in rendering.messages:
        assert message.blocks[0]["type"] == "header"
        assert message.blocks[-1]["type"] == "rich_text"
    good(rendering)


def test_a_long_fence_becomes_several_of_the_same_language_cut_at_lines():
    lines = [f"line_{n} = {n} * '한글'" for n in range(1200)]
    rendering = markdown.render("앞\n\n```python\n" + "\n".join(lines) + "\n```\n뒤")
    codes = [
        block["elements"][0] for block in good(rendering) if "preformatted" in block["elements"][0]["type"]
    ]
    assert len(codes) >= 3
    assert {code["language"] for code in codes} == {"python"}
    assert [line for code in codes for line in code["elements"][0]["text"].splitlines()] == lines


def test_a_long_list_is_cut_between_items_and_goes_on_counting():
    rendering = markdown.render("\n".join(f"{n}. {'항목 ' * 20}끝" for n in range(1, 301)))
    lists = [block["elements"][0] for block in good(rendering)]
    assert all(slack_limits.texts(item)[-1].endswith("끝") for one in lists for item in one["elements"])
    numbers = [one.get("offset", 0) + at for one in lists for at in range(1, len(one["elements"]) + 1)]
    assert numbers == list(range(1, 301))


def test_a_long_paragraph_is_cut_behind_a_sentence():
    rendering = markdown.render("이것은 문장입니다. " * 2000)
    assert len(rendering.messages) > 1
    assert all(
        "".join(slack_limits.texts(message.blocks)).rstrip().endswith(".") for message in rendering.messages
    )
    good(rendering)


@pytest.mark.parametrize("grapheme", ["가", "👨‍👩‍👧", "e\u0301", "🇰🇷", "x"])
def test_a_word_without_end_is_cut_between_graphemes(grapheme):
    rendering = markdown.render(grapheme * (24_000 // slack_limits.units(grapheme)))
    assert len(rendering.messages) > 1
    for message in rendering.messages:
        for text in slack_limits.texts(message.blocks):
            assert text == grapheme * (len(text) // len(grapheme))
    good(rendering)


def test_too_much_is_its_beginning_and_a_file_with_the_original():
    text = "처음 <!channel>\n\n" + "## 제목\n\n문단 **하나**.\n\n" * 5000
    rendering = markdown.render(text)
    assert rendering.file == text
    assert len(rendering.messages) == 1
    assert said(rendering).startswith(f"처음 <{J}!channel>")
    assert said(rendering).endswith("…")
    good(rendering)


def test_the_number_of_messages_is_an_argument():
    text = "문단입니다. " * 3000
    assert markdown.render(text, max_messages=1).file == text
    assert markdown.render(text, max_messages=9).file is None
    assert markdown.render("\ud800" + text, max_messages=1).file == "\ufffd" + text
    assert markdown.render("\x00" + text, max_messages=1).file == "\x00" + text


@pytest.mark.parametrize(
    "text", ["> " * 300 + "끝", "- " * 300 + "끝", "".join("  " * n + "- a\n" for n in range(90)) + "끝"]
)
def test_deep_nesting_loses_nothing(text):
    assert "끝" in said(markdown.render(text))


HARD = {
    "stars": "*" * 10_000,
    "loose stars": "* " * 10_000,
    "open emphasis": "*a " * 10_000,
    "mixed emphasis": "**a *b " * 10_000,
    "brackets": "[" * 10_000,
    "images": "![" * 10_000,
    "links": "[a](" * 10_000,
    "backticks": "".join("`" * n + " " for n in range(300)),
    "angles": "<" * 100_000,
    "quotes": "> " * 100_000,
    "dollars": "$a" * 100_000,
    "formulas": "\\(" * 100_000,
    "pings": "<!channel>" * 100_000,
    "addresses": "https://" * 100_000,
    "brackets behind an address": "https://a.kr/" + ")" * 100_000,
    "dots in a label": "[" + "a." * 40_000 + "](https://x.kr)",
    "a word": "a" * 1_000_000,
    "lines": "\n" * 1_000_000,
    "spaces": " " * 1_000_000,
    "joiners": "\u200d" * 1_000_000,
    "accents": "a" + "\u0301" * 1_000_000,
    "prose": "가나다 **라마**바 abc\n" * 60_000,
    "a wide table": "|a" * 10_000 + "|\n" + "|-" * 10_000 + "|\n" + "|b" * 10_000,
    "a long table": "|a|b|\n|-|-|\n" + "x\n" * 50_000,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", HARD)
def test_hard_input_is_rendered_in_time(name):
    good(markdown.render(HARD[name]))


def test_the_last_look_finds_what_the_code_before_it_missed():
    leaf = {"type": "text", "text": "<!channel>"}
    section = {"type": "rich_text_section", "elements": [{"type": "broadcast", "range": "here"}]}
    assert verify.problems(Message([{"type": "rich_text", "elements": [section]}], "x"))
    assert verify.problems(
        Message([{"type": "rich_text", "elements": [{**section, "elements": [leaf]}]}], "x")
    )
    assert verify.problems(Message([], "<!here>"))
    assert verify.problems(Message([], "@here"))
    assert not verify.problems(Message([], "<https://a.kr|x> 안녕"))


def test_what_the_last_look_finds_is_posted_as_plain_text():
    leaves = [{"type": "broadcast", "range": "here"}, {"type": "text", "text": "<!channel> 안녕 " * 400}]
    section = {"type": "rich_text_section", "elements": leaves}
    message = markdown._message([{"type": "rich_text", "elements": [section]}])
    assert slack_limits.violations(message) == []
    assert {block["type"] for block in message.blocks} == {"section"}
    assert "".join(slack_limits.texts(message.blocks)).count("안녕") == 400


@pytest.mark.parametrize("shift", range(8))
@pytest.mark.parametrize("unit", ["<!--xyz>", "me@here.kr", "<!doctype html>", "<!channel>", "&lt;!here"])
def test_no_cut_makes_a_ping(unit, shift):
    for opening in ("", "```\n"):
        rendering = markdown.render(opening + "x" * shift + unit * 1500)
        good(rendering)
        assert {block["type"] for message in rendering.messages for block in message.blocks} == {"rich_text"}


FRAGMENTS = [
    *(
        "<!channel>",
        "<!here|x>",
        "@here",
        "@",
        "channel",
        "<@U123ABC>",
        "<#C123>",
        "<!subteam^S1>",
        "<!",
        ">",
        "<",
        "!here",
    ),
    *(
        "&lt;!channel&gt;",
        "&#60;",
        "&#x202e;",
        "&#8203;",
        "&amp;",
        "&",
        "＠",
        "＜!",
        "\u200b",
        "\u200d",
        "\u202e",
        "\x00",
    ),
    *(
        "**",
        "*",
        "_",
        "__",
        "~~",
        "`",
        "``",
        "```",
        "```py",
        "~~~",
        "\n",
        "\n\n",
        "\n- ",
        "\n  - ",
        "\n1. ",
        "\n> ",
        "\n# ",
    ),
    *(
        "\n---\n",
        "|",
        "\n|a|b|\n|-|-|\n|",
        "|\n",
        "[",
        "](",
        "](https://a.kr)",
        "![",
        ")",
        "(",
        "https://a.kr/",
        "javascript:",
    ),
    *(
        "$",
        "$$",
        "\\",
        "\\(",
        "\\)",
        "<b>",
        "</b>",
        "<!--",
        "👨‍👩‍👧",
        "🇰🇷",
        "😀",
        "\ud83d",
        "e\u0301",
        " ",
        "  ",
        "    ",
        "\t",
        "\r\n",
    ),
    *("[ ] ", "[^1]: ", "한글", "는", "(예시)", '"', ".", "다. ", "word", "a<b", "\u2060", "…", "\x1b[1m"),
]
pieces = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=60)


@settings(max_examples=300)
@given(pieces, st.sampled_from([1, 1, 1, 40, 400]))
def test_nothing_pings_and_every_limit_holds_whatever_the_model_writes(parts, times):
    text = "".join(parts) * times
    rendering = markdown.render(text)
    good(rendering)
    assert len(rendering.messages) <= 4
    assert rendering == markdown.render(text)


def letters(text):
    return [char for char in unicodedata.normalize("NFKC", text) if char.isalnum()]


WORDS = st.from_regex(r"[a-z가-힣]{1,8}", fullmatch=True)
MARKS = st.sampled_from(
    [
        *(
            "**",
            "*",
            "~~",
            "`",
            " ",
            "\n",
            "\n\n",
            "\n- ",
            "\n  - ",
            "\n> ",
            "\n# ",
            "\n---\n",
            "(",
            ")",
            '"',
            ". ",
        ),
        *(
            "[",
            "]",
            "|",
            "\n|",
            "|\n",
            "<b>",
            "<@",
            "!",
            "@here ",
            "$",
            "\\",
            "\n    ",
            "\n* ",
            "_",
            "\n+ ",
            "\t",
        ),
    ]
)


@settings(max_examples=300)
@given(st.lists(st.tuples(MARKS, WORDS), max_size=80), st.sampled_from([1, 1, 30, 90]))
def test_no_letter_is_lost_where_no_file_is_made(parts, times):
    text = "".join(mark + word for mark, word in parts) * times
    rendering = markdown.render(text, max_messages=500)
    assert rendering.file is None
    assert letters(said(rendering)) == letters(text)
    fallback = " ".join(message.text for message in rendering.messages)
    assert letters(re.sub("&(amp|lt|gt);", "", fallback)) == letters(text)
