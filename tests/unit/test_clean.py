"""Cleaning: what nobody sees goes, what people wrote stays, and Slack's markup becomes words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.clean import clean, clean_slack, language

NAMES = {"U1": "민수", "U2": "Jane Doe", "C1": "general", "S1": "디자인팀"}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("그대로 둡니다. As it is.", "그대로 둡니다. As it is."),
        (unicodedata.normalize("NFD", "한글과 café"), "한글과 café"),
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("\ufeff안\u200b녕\u2060", "안녕"),
        ("bell\x07 nul\x00 esc\x1b[0m", "bell nul esc[0m"),
        ("tab\tstays", "tab\tstays"),
        ("one\x0ctwo", "one\n\ntwo"),
        ("nbsp\u00a0and\u3000wide", "nbsp and wide"),
        ("soft\u00adhyphen \u202eright to left\u202c", "softhyphen right to left"),
        ("hidden\U000e0041\U000e0042 words", "hidden words"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("가족 👨\u200d👩\u200d👧 ❤\ufe0f", "가족 👨\u200d👩\u200d👧 ❤\ufe0f"),
        ("ab\u200dcd \u200c가\u200d나", "abcd 가나"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("a  \n \t \n\n b ", "a\n\n b"),
        ("\n\n  indented first\n", "  indented first"),
        ("a\n```\nx  \n\n\n\ny\n```\n\n\n\nb", "a\n```\nx  \n\n\n\ny\n```\n\nb"),
        ("&amp; &lt;b&gt; stay outside of Slack", "&amp; &lt;b&gt; stay outside of Slack"),
    ],
)
def test_clean(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<@U1> 확인해 주세요", "@민수 확인해 주세요"),
        ("<@U2|jane> and <@U9|bob> and <@U8>", "@Jane Doe and @bob and @U8"),
        ("<#C1> <#C1|> <#C2|랜덤> <#C3>", "#general #general #랜덤 #C3"),
        ("<!here> <!channel> <!everyone|@everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@design> <!subteam^S2|@ops> <!subteam^S3>", "@디자인팀 @ops @S3"),
        ("<!date^1392734382^{date_num}|2014-02-18>", "2014-02-18"),
        ("<!date^1392734382^{date_num}>", "2014-02-18 14:39 UTC"),
        ("<!date^nonsense^x> <!date>", "nonsense"),
        ("<http://a.kr|보고서>", "보고서 (http://a.kr)"),
        ("<http://a.kr/?x=1&amp;y=2>", "http://a.kr/?x=1&y=2"),
        ("<http://example.com|example.com>", "http://example.com"),
        ("<https://example.com/|https://example.com>", "https://example.com/"),
        ("<mailto:a@b.kr|a@b.kr> <mailto:a@b.kr|Ann>", "a@b.kr Ann (a@b.kr)"),
        ("<tel:+8210|+82 10>", "+82 10 (+8210)"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt; is how to write &amp;amp;lt;", "&lt; is how to write &amp;lt;"),
        ("*굵게* _기울임_ ~취소~ `code` :smile:", "*굵게* _기울임_ ~취소~ `code` :smile:"),
        ("보세요 ```x = 1\ny = 2``` 끝", "보세요\n```\nx = 1\ny = 2\n```\n 끝"),
        ("```\nif a &lt; b:\n    pass\n```", "```\nif a < b:\n    pass\n```"),
        ("```python\nx\n```", "```python\nx\n```"),
        ("a ```one line``` b", "a ```one line``` b"),
    ],
)
def test_clean_slack(text, plain):
    assert clean_slack(text, NAMES) == plain


def test_a_name_cannot_bring_markup_of_its_own():
    assert clean_slack("<@U1>", {"U1": "<!channel> &amp; co"}) == "@<!channel> &amp; co"


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\n \t`~\r\u200d\ufeff<>&;@|"))))
def test_cleaning_twice_is_cleaning_once_and_the_result_can_be_stored(text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not {"\x00", "\r", "\ufeff", "\u200b"} & set(cleaned)
    cleaned.encode()


@pytest.mark.parametrize("run", [" ", "\n", "\t", "<", "`", "&", "\u200d", "<@U1>", "```\n", "a\n\n\n"])
def test_a_megabyte_of_anything_takes_no_more_than_linear_time(run):
    """A quadratic pattern would take hours here, and the test's limit is a minute."""
    text = "x" + run * (1_000_000 // len(run)) + "x"
    assert clean_slack(text, NAMES).startswith("x")


@given(st.text(alphabet="<>@#!|^&;abUlt gmp:/\n`", max_size=60))
def test_any_markup_however_broken_becomes_text(text):
    assert isinstance(clean_slack(text, NAMES), str)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P"], exclude_characters="`~")))
def test_visible_characters_are_all_kept(text):
    assert clean(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "en"),
        ("12345 !?", "en"),
        ("Please summarize this.", "en"),
        ("이 글을 요약해 주세요", "ko"),
        ("쿠버네티스 Pod가 OOMKilled 상태로 재시작되는 문제를 분석했습니다.", "ko"),
        ("The report that 김민수 wrote about the quarterly results of the company", "en"),
        ("보세요\n```\nfor each in range(10): print(each, sum(values), total_count)\n```", "ko"),
        ("링크 https://example.com/a/very/long/path/to/some/document.html 확인", "ko"),
        ("ㅋㅋㅋㅋ ok", "ko"),
        ("API gateway latency 급증 원인 확인 부탁 drive", "ko"),
        ("会議は午後三時に始まります", "en"),
    ],
)
def test_language(text, expected):
    assert language(text) == expected
