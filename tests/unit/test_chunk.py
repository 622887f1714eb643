"""Cutting: never over the budget, nothing lost, fences whole, and at the best place there is."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.text import chunk, fences
from tasks.text.tokens import estimate

WORDS = (
    *(
        "회의에서",
        "예산을",
        "논의했다.",
        "배송이",
        "늦었어요",
        "확인했습니다!",
        "네?",
        "the",
        "report",
        "late.",
    ),
    *(
        "Dr.",
        "e.g.",
        "3.14",
        "https://example.com/a?b=1",
        "ㅋㅋㅋ",
        "👨\u200d👩\u200d👧",
        "🇰🇷",
        "I",
        "(see",
        "-----",
    ),
    "会議は終わりました。",
)
CODE_LINES = ("", "x = 1", "    return '값'", "~~~", "# 주석", "y" * 90, "``", "\tif a: b()")
MARKS = ("```", "````", "~~~~")
INFOS = ("", "python", " js title=a")
OTHERS = ("# 제목", "- 항목\n- item", "> 인용")
ROWS = ("| 김민수 | 12,000원. 확인했습니다. |", "|a|b|", "| x | 1. 2. 3. It is late. | y |")
TABBED = ("이름\t금액", "a. b\tShe left. He stayed.\t3", "x\t")
GAPS = ("\n", "\n\n", "\n\n\n", "\n \n")


def markdown_table(rows: list[str]) -> str:
    return "\n".join(["| 누가 | 얼마 |", "|---|--:|", *rows])


LINE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=25).map(" ".join)
PARAGRAPH = st.lists(LINE, min_size=1, max_size=4).map("\n".join)
LONG_WORD = st.builds(str.__mul__, st.sampled_from("x가-🎉7"), st.integers(1, 600))
FENCE = st.builds(
    lambda mark, info, lines: "\n".join([mark + info, *lines, mark]),
    st.sampled_from(MARKS),
    st.sampled_from(INFOS),
    st.lists(st.sampled_from(CODE_LINES), max_size=40),
)
TABLE = st.one_of(
    st.lists(st.sampled_from(ROWS), min_size=1, max_size=30).map(markdown_table),
    st.lists(st.sampled_from(TABBED), min_size=3, max_size=30).map("\n".join),
)
BLOCK = st.one_of(PARAGRAPH, PARAGRAPH, LONG_WORD, FENCE, TABLE, st.sampled_from(OTHERS))
DOCUMENT = st.lists(st.tuples(BLOCK, st.sampled_from(GAPS)).map("".join), max_size=14).map("".join)


def random_document(draw: random.Random) -> str:
    """What `DOCUMENT` describes, drawn fast enough for ten thousand."""
    blocks = []
    for _ in range(draw.randint(1, 6)):
        match draw.randrange(8):
            case 0:
                blocks.append(draw.choice("x가-🎉7") * draw.randint(1, 300))
            case 1:
                mark, code = draw.choice(MARKS), draw.choices(CODE_LINES, k=draw.randrange(25))
                blocks.append("\n".join([mark + draw.choice(INFOS), *code, mark]))
            case 2:
                blocks.append(draw.choice(OTHERS))
            case 3:
                blocks.append(markdown_table(draw.choices(ROWS, k=draw.randrange(25))))
            case 4:
                blocks.append("\n".join(draw.choices(TABBED, k=draw.randint(3, 25))))
            case _:
                lines = (
                    " ".join(draw.choices(WORDS, k=draw.randint(1, 15))) for _ in range(draw.randint(1, 4))
                )
                blocks.append("\n".join(lines))
        blocks.append(draw.choice(GAPS))
    return "".join(blocks)


MANY = settings(max_examples=400, suppress_health_check=list(HealthCheck))


def unclosed(text: str) -> int:
    """Fences that a Markdown reader would leave open at the end (its own reading, not the product's)."""
    mark = ""
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        run = len(bare) - len(bare.lstrip(bare[:1])) if bare[:1] in {"`", "~"} else 0
        if len(line) - len(bare) > 3 or run < 3:
            continue
        rest = bare[run:].strip()
        if mark:
            if bare[0] == mark[0] and run >= len(mark) and not rest:
                mark = ""
        elif bare[0] == "~" or "`" not in rest:
            mark = bare[:run]
    return 1 if mark else 0


def check(text: str, budget: int, overlap: int = 0) -> None:
    found = list(chunk.pieces(text, budget, overlap=overlap))
    assert [piece.text for piece in found if estimate(piece.text) > budget] == []
    assert "".join(piece.body for piece in found) == text
    assert [piece.start for piece in found] == [0, *(piece.end for piece in found)][: len(found)]
    assert all(piece.text == piece.opening + text[piece.start : piece.end] + piece.closing for piece in found)
    if budget < 120:  # Too little for an added line, or for one line of this code between two of them.
        return
    assert [piece.text for piece in found if unclosed(piece.text)] == []
    cuts = {piece.end for piece in found}
    for fence in fences.find(text):
        if estimate(text[fence.start : fence.end]) <= budget:
            assert not {cut for cut in cuts if fence.start < cut < fence.end}
    # Every row of these tables fits a piece.
    for cut in cuts - {len(text)}:
        line = text[text.rfind("\n", 0, cut) + 1 :].split("\n", 1)[0]
        assert line not in {*ROWS, *TABBED} or text[cut - 1] == "\n"


@MANY
@given(DOCUMENT, st.integers(40, 400), st.sampled_from([0, 0, 10, 60]))
def test_any_document_keeps_to_its_budget_loses_nothing_and_closes_its_fences(text, budget, overlap):
    check(text, budget, overlap)
    pieces = chunk.pieces(text, budget, overlap=overlap)
    assert chunk.split(text, budget, overlap=overlap) == [piece.text for piece in pieces]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_random_documents_too():
    for seed in range(10_000):
        draw = random.Random(seed)
        text, budget = random_document(draw), draw.randint(40, 400)
        try:
            check(text, budget, draw.choice([0, 20]))
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise


@MANY
@given(st.text(max_size=600), st.integers(chunk.LEAST_BUDGET, 60))
def test_any_text_at_all(text, budget):
    found = list(chunk.pieces(text, budget))
    assert "".join(piece.body for piece in found) == text
    assert all(estimate(piece.text) <= budget for piece in found)


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(
    DOCUMENT,
    st.integers(30, 200),
    st.sampled_from([len, lambda text: len(text.encode()), lambda text: len(text) % 7]),
)
def test_any_count_will_do_even_one_that_falls_as_the_text_grows(text, budget, count):
    found = list(chunk.pieces(text, budget, count))
    assert "".join(piece.body for piece in found) == text
    assert all(count(piece.text) <= budget for piece in found)


@pytest.mark.parametrize(
    ("text", "budget", "pieces"),
    [
        ("", 20, []),
        ("short", 20, ["short"]),
        # Paragraphs before sentences.
        (
            "One here. Two here.\n\nThree is here. Four.",
            30,
            ["One here. Two here.\n\n", "Three is here. Four."],
        ),
        ("One here.\n\nTwo here. Three here.", 26, ["One here.\n\n", "Two here. Three here."]),
        # Sentences before lines.
        (
            "The first one ends. The second\none ends here too.",
            40,
            ["The first one ends. ", "The second\none ends here too."],
        ),
        ("회의를 시작했다. 예산을 줄였다. 끝났다.", 22, ["회의를 시작했다. 예산을 줄였다. ", "끝났다."]),
        ("확인했습니다 내일 다시 연락드릴게요 그럼", 21, ["확인했습니다 내일 다시 연락드릴게요 ", "그럼"]),
        ("会議は終わりました。次は明日の朝です。", 16, ["会議は終わりました。", "次は明日の朝です。"]),
        # An abbreviation, an initial or a number in a list ends no sentence.
        ("We met with Dr. Kim and others", 20, ["We met with Dr. Kim ", "and others"]),
        ("See section 3. of it all here", 20, ["See section 3. of ", "it all here"]),
        # Lines before words, words before characters.
        ("no full stop\nin this one at all", 24, ["no full stop\n", "in this one at all"]),
        ("one two three four five six", 20, ["one two three four ", "five six"]),
        ("abcdefghijklmnopqrstuvwxyz", 20, ["abcdefghijklmnopqrst", "uvwxyz"]),
        # A heading goes with what follows it.
        ("Intro words here.\n# Heading\nbody", 30, ["Intro words here.\n", "# Heading\nbody"]),
    ],
)
def test_where_it_cuts_by_characters(text, budget, pieces):
    assert chunk.split(text, budget, len) == pieces


def test_a_fence_that_fits_moves_to_the_next_piece_whole():
    text = "Some words before it.\n```py\nx = 1\ny = 2\n```\nand after"
    assert chunk.split(text, 36, len) == ["Some words before it.\n", "```py\nx = 1\ny = 2\n```\nand after"]


def test_a_fence_that_does_not_fit_becomes_closed_fences_of_the_same_kind():
    text = "```py\n" + "".join(f"x{n:03} = {n:03}\n" for n in range(20)) + "```\n"
    found = chunk.split(text, 80, len)
    assert len(found) > 3
    assert all(piece.startswith("```py\n") and piece.rstrip("\n").endswith("\n```") for piece in found)
    assert "".join(piece.removeprefix("```py\n").rstrip("`\n") + "\n" for piece in found).count("x0") == 20


ITEMS = "| 이름 | 수량 |\n|---|---|\n"


def test_a_table_that_fits_moves_to_the_next_piece_whole():
    table = ITEMS + "| 볼트 | 3 |\n| 너트 | 4 |\n"
    text = "Some words before it, and more. And more.\n" + table + "\nand after"
    assert table in chunk.split(text, 60, len)[1]


def test_a_table_that_does_not_fit_is_cut_between_rows_under_its_header_each_time():
    rows = [f"| 부품 {n}. 새것. | {n} |\n" for n in range(20)]
    found = chunk.split(ITEMS + "".join(rows), 90, len)
    assert len(found) > 4
    assert all(piece.startswith(ITEMS) for piece in found)
    assert "".join(piece.removeprefix(ITEMS) for piece in found) == "".join(rows)
    assert all(piece.endswith("|\n") for piece in found)


def test_a_row_longer_than_a_piece_is_cut_between_its_cells():
    text = ITEMS + "| " + "가 나 | " * 40 + "\n"
    found = chunk.split(text, 80, len)
    assert all(piece.endswith("|") for piece in found[:-1])


def test_a_row_that_fits_the_next_piece_is_not_begun_in_this_one():
    text = ITEMS + "| a | 1 |\n" + "| " + "x" * 50 + " | 2 |\n"
    assert chunk.split(text, 100, len) == [text]
    assert chunk.split(text, 89, len) == [ITEMS + "| a | 1 |\n", ITEMS + "| " + "x" * 50 + " | 2 |\n"]


def test_lines_of_cells_with_tabs_are_cut_between_rows_and_nothing_is_said_twice():
    text = "".join(f"She left. He stayed.\t{n}\n" for n in range(20))
    found = chunk.split(text, 50, len)
    assert "".join(found) == text
    assert all(piece.endswith("\n") for piece in found)


def test_what_looks_like_a_table_in_a_fence_is_code():
    text = "```\n" + ITEMS + "| a | 1 |\n" * 20 + "```\n"
    assert all(piece.startswith("```\n") for piece in chunk.split(text, 80, len))


def test_pieces_overlap_by_whole_sentences():
    text = "첫 문장입니다. 둘째 문장입니다. 셋째 문장입니다. 넷째 문장입니다. 다섯째 문장입니다."
    first, second, *_ = chunk.split(text, 45, len, overlap=11)
    assert first == "첫 문장입니다. 둘째 문장입니다. 셋째 문장입니다. 넷째 문장입니다. "
    assert second == "넷째 문장입니다. 다섯째 문장입니다."


def test_an_overlap_is_no_more_than_a_quarter_of_the_budget_and_added_to_no_fence():
    sentence = "One two three four. "
    text = sentence * 30 + "\n```\n" + "x = 1\n" * 40 + "```\n"
    found = list(chunk.pieces(text, 100, len, overlap=90))
    assert {piece.opening for piece in found} == {"", sentence, sentence + "\n", "```\n"}


def test_characters_that_belong_together_stay_together():
    family = "👨\u200d👩\u200d👧"
    assert all(set(piece.split(family)) == {""} for piece in chunk.split(family * 50, 17, len))


def test_a_stray_fence_does_not_turn_the_rest_into_code():
    text = "```\n" + "One sentence here. " * 20
    assert all(piece.rstrip().endswith((".", "```")) for piece in chunk.split(text, 100, len))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 5_000_000,
        "가" * 5_000_000,
        "```a\n" * 1_000_000,
        "`" * 5_000_000,
        "```py\n" + "x = 1\n" * 800_000 + "```",
    ],
    ids=["letters", "hangul", "openings", "backticks", "one fence"],
)
def test_the_work_is_linear(text):
    """Counted in characters handed to `count`, which no clock can blur."""
    seen = 0

    def count(part: str) -> int:
        nonlocal seen
        seen += len(part)
        return len(part)

    assert len(chunk.split(text, 20_000, count)) >= 240
    assert seen < 12 * len(text)


@pytest.mark.parametrize("budget", [0, -1, 15])
def test_a_budget_that_holds_nothing_is_refused(budget):
    with pytest.raises(ValueError, match="least, 16"):
        chunk.split("text", budget)


def test_a_character_that_costs_more_than_the_budget_is_refused():
    with pytest.raises(ValueError, match="one character costs more"):
        chunk.split("text", 20, lambda part: 100 * len(part))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```\na\n```", [(0, 9)]),
        ("a\n~~~ js\nb\n~~~~\nc", [(2, 16)]),
        ("````\n```\n````\n", [(0, 14)]),
        ("```a`b\nx\n```\n", []),
        ("```\nnever closed", []),
        ("   ```\na\n   ```  \n", [(0, 18)]),
        ("    ```\na\n    ```\n", []),
        ("`````\n```\nx\n```\n", [(6, 16)]),
    ],
)
def test_fences_are_found_as_commonmark_finds_them(text, found):
    assert [(fence.start, fence.end) for fence in fences.find(text)] == found
