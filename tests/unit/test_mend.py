"""What programs did to a text is undone: wrong encodings, ligatures, hyphens, running lines; nothing else changes."""

import ftfy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text import clean, mend, running
from tasks.text.document import Document, Section, Table

SENTENCES = ("안녕하세요, 고객님. 내일 뵙겠습니다.", "It’s a “café” – 5 €.", "Привет, мир!", "日本語です。")


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("wrong", ["latin-1", "cp1252"])
def test_utf_8_that_was_read_as_another_encoding_is_mended(text, wrong):
    try:
        broken = text.encode().decode(wrong)
    except UnicodeDecodeError:
        broken = text.encode().decode("latin-1")
    assert broken != text
    assert mend.mend(broken) == text


def test_korean_of_old_mail_that_was_read_as_latin_1_is_mended():
    text = "안녕하세요, 회의는 3시입니다. 가? 네"
    assert mend.mend(text.encode("euc_kr").decode("latin-1")) == text


@pytest.mark.parametrize(
    "text",
    [
        *SENTENCES,
        "L’été à Liège coûte 5 £ ½",
        "Über größere Straßen – „so“",
        "naïve façade Ångström ÀÉÎ",
        'ASCII \'quotes\' "stay" -- `x = "a"`',
        "㈜한국 ①번 Ｆｕｌｌ　ｗｉｄｔｈ &amp; ½",
    ],
)
def test_what_is_right_stays_as_it_is(text):
    assert mend.mend(text) == text


def test_ligatures_become_letters():
    assert mend.mend("eﬃcient ﬁle ﬂow oﬀ") == "efficient file flow off"


@given(st.text(alphabet=st.characters(max_codepoint=0x7F)))
def test_ascii_is_never_touched(text):
    assert mend.mend(text) == text


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("an exam-\nple of it", "an example of it"),
        ("a well-\nknown one, well-known", "a well-known one, well-known"),
        ("the exam\x02\nple", "the example"),
        ("the exam\ufffeple", "the example"),
        ("2024-\n2025 and A-\nB", "2024-\n2025 and A-\nB"),
        ("한글-\n문서", "한글-\n문서"),
        ("- item\n- other", "- item\n- other"),
    ],
)
def test_words_broken_at_line_ends_are_whole_again(text, whole):
    assert mend.joined(text) == whole


def pages(count: int) -> list[str]:
    return [
        f"연간 보고서 2025\n{'1장 개요' if n % 2 else '홍길동 지음'}\n\n본문 {'가나다라마바사'[n % 7]} 문단입니다.\n매출 {n * 37}원\n\n- {n + 5} -"
        for n in range(count)
    ]


def test_running_headers_and_page_numbers_go_and_the_text_stays():
    found = running.without(pages(9))
    assert sum("지음" in page for page in found) == 1
    assert sum("개요" in page for page in found) == sum("연간" in page for page in found) == 1
    assert all("본문" in page and "매출" in page for page in found)
    assert not any("- " in page for page in found)


def test_a_title_that_runs_stands_where_it_is_said_first():
    found = running.without(
        [f"Annual report\n\nPage text {word}\n" for word in ("one", "two", "three", "four")]
    )
    assert [page.startswith("Annual report") for page in found] == [True, False, False, False]


def test_numbers_at_the_ends_of_pages_that_do_not_count_on_are_data():
    given = ["a\n12", "b\n480", "c\n7", "d\n33"]
    assert running.without(given) == given


def test_two_pages_say_too_little_about_what_runs():
    assert running.without(["Same\na", "Same\nb"]) == ["Same\na", "Same\nb"]


def test_a_pdf_is_mended_and_its_pages_stay_citable():
    texts = ["Head\n\nAn eﬃ-\ncient way\n1", "Head\n\n\n2", "Head\n\nThe end.\r\nReally\n3"]
    found = clean.document(
        Document("a.pdf", "pdf", [Section(text, page=n) for n, text in enumerate(texts, 1)], pages=3)
    )
    assert [(section.page, section.text) for section in found.sections] == [
        (1, "Head\n\nAn efficient way"),
        (3, "The end.\nReally"),
    ]
    assert found.pages == 3


@given(st.text(st.sampled_from([*"aZ 0~!&;<>'", "가", "힣", "쏙", "옙", "\n"])))
def test_what_is_plain_would_not_be_mended(text):
    """So that most texts need no look at every letter."""
    assert ftfy.fix_encoding(text) == text
    assert mend.mend(text) == text


def test_tables_are_clean_cell_by_cell_and_keep_their_shape():
    broken = "서울".encode().decode("latin-1")
    table = Table(["name", broken], [["a\u200b", ""], ["=1+1", "x"]])
    found = clean.document(Document("t.csv", "csv", [Section("x")], [table]))
    assert found.tables[0] == Table(["name", "서울"], [["a", ""], ["=1+1", "x"]])
    assert found.sections[0].text == "x"
