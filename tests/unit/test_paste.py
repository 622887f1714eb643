"""Pasted tables: cells from a spreadsheet and CSV in a code block, and nothing else."""

import pytest

from tasks.text import paste


@pytest.mark.parametrize(
    ("text", "header", "rows"),
    [
        ("id\ttext\n1\t늦었어요\n2\t좋아요", ["id", "text"], [["1", "늦었어요"], ["2", "좋아요"]]),
        ("id\ttext\tnote\n1\ta\n2\tb\tc", ["id", "text", "note"], [["1", "a", ""], ["2", "b", "c"]]),
        ('```csv\nid,text\n1,"a, b"\n```', ["id", "text"], [["1", "a, b"]]),
        ("```csv\ntext\nsingle\n```", ["text"], [["single"]]),
    ],
)
def test_tables(text, header, rows):
    document = paste.read(text)
    [table] = document.tables
    assert (list(table.header), [list(row) for row in table.rows]) == (header, rows)
    assert document.kind == "csv"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "One, two.\nThree, four.",
        "a\tb",
        "a\tb\nc\td\te",
        "```csv\nonly\n```",
        '```csv\na,b\n"open\n```',
        "```\na,b\nc,d\n```",
    ],
)
def test_other_text_stays_text(text):
    document = paste.read(text, "thread")
    assert document.tables == ()
    assert (document.kind, document.text) == ("thread", text)
