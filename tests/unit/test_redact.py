"""Values become placeholders and come back: the same value by the same name, whatever a model does to the brackets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text import markup, placeholders
from tasks.text.document import Document, Section, Table
from tasks.text.kind import Kind
from tasks.text.placeholders import restore
from tasks.text.redact import Redaction

PHONE, MAIL = "010-1234-5678", "kim_ms@example.com"
ORIGINALS = {"PHONE-1": PHONE, "EMAIL-12": MAIL, "KEY-1": "_p*a~ss`1_"}


def test_a_value_has_one_name_in_all_texts_of_a_job_however_it_is_spelled():
    redaction = Redaction()
    assert redaction.text(f"전화 {PHONE}, 메일 {MAIL}") == "전화 [PHONE-1], 메일 [EMAIL-1]"
    assert redaction.text("또는 +82 10-1234-5678, 010.1234.5678") == "또는 [PHONE-1], [PHONE-1]"
    assert redaction.text("KIM_MS@EXAMPLE.COM, 010-9999-8888") == "[EMAIL-1], [PHONE-2]"
    assert redaction.originals == {"PHONE-1": PHONE, "EMAIL-1": MAIL, "PHONE-2": "010-9999-8888"}


def test_two_jobs_know_nothing_of_each_other():
    one, other = Redaction(), Redaction()
    one.text(f"전화 {PHONE}")
    assert restore("[PHONE-1]", other.originals) == "[PHONE-1]"
    other.text("전화 010-9999-8888")
    assert restore("[PHONE-1] [PHONE-2]", other.originals) == "010-9999-8888 [PHONE-2]"


def test_what_people_write_like_a_placeholder_stays_theirs():
    redaction = Redaction()
    first = redaction.text(f"[PHONE-1] and PHONE-3 are names. Call {PHONE}.")
    assert first == "[PHONE-1] and PHONE-3 are names. Call [PHONE-2]."
    second = redaction.text("What is [phone-2]? 010-9999-8888")
    assert second == "What is [PHONE-4]? [PHONE-5]"
    assert restore(f"{first} {second}", redaction.originals) == (
        f"[PHONE-1] and PHONE-3 are names. Call {PHONE}. What is [phone-2]? 010-9999-8888"
    )


def test_nothing_is_hidden_where_that_is_switched_off():
    redaction = Redaction(frozenset())
    assert redaction.text(f"전화 {PHONE}") == f"전화 {PHONE}"
    assert Redaction(frozenset({Kind.EMAIL})).text(f"{PHONE} {MAIL}") == f"{PHONE} [EMAIL-1]"


@pytest.mark.parametrize(
    ("said", "restored"),
    [
        ("[PHONE-1]로 전화", f"{PHONE}로 전화"),
        ("PHONE-1로 전화, (PHONE-1)", f"{PHONE}로 전화, ({PHONE})"),
        ("[phone-1] [Phone 1] [PHONE_1] [PHONE‑1] [ PHONE-1 ] [PHONE1]", " ".join([PHONE] * 6)),
        ("**[PHONE-1]** `[PHONE-1]` \\[PHONE-1\\] 【PHONE-1】 {PHONE-1} <PHONE-1>", None),
        ("[EMAIL-12] and [EMAIL-012]", f"{MAIL} and {MAIL}"),
        ("[call](tel:[PHONE-1])", f"[call](tel:{PHONE})"),
        ("[PHONE-1](tel:PHONE-1)", f"[{PHONE}](tel:{PHONE})"),
        ("[[PHONE-1]](tel:%5BPHONE-1%5D)", f"[{PHONE}](tel:{PHONE})"),
        ("mailto:%5bEMAIL-12%5d", f"mailto:{MAIL}"),
        ("[a, [PHONE-1]] {{PHONE-1} x}", f"[a, {PHONE}] {{{PHONE} x}}"),
        ("| [PHONE-1] | [EMAIL-12] |", f"| {PHONE} | {MAIL} |"),
        ("[PHONE-2] [PHONE-11] [EMAIL-1] phone 1 MYPHONE-1 PHONE-1a", None),
    ],
)
def test_values_come_back_from_whatever_a_model_makes_of_their_names(said, restored):
    if restored is None and "**" in said:
        restored = f"**{PHONE}** `{PHONE}` {PHONE} {PHONE} {PHONE} {PHONE}"
    assert restore(said, ORIGINALS) == (said if restored is None else restored)


def test_json_with_placeholders_is_json_with_values():
    said = json.dumps({"who": ["[PHONE-1]", "x [EMAIL-12]"], "[PHONE-1]": {"key": "[KEY-1]"}})
    assert json.loads(restore(said, ORIGINALS)) == {
        "who": [PHONE, f"x {MAIL}"],
        PHONE: {"key": ORIGINALS["KEY-1"]},
    }


def test_no_value_has_a_sign_in_it_that_would_end_a_string_of_json():
    redaction = Redaction()
    redaction.text('password="p@ss1\\"}word2", "token": "abc\\u0031def4567890zz", {"pw": "a1b2c3d4\'"}')
    assert not [value for value in redaction.originals.values() if set(value) & set('"\\\n')]


def test_in_markdown_no_sign_of_a_value_is_a_style_and_in_code_it_is_as_it_is():
    value = ORIGINALS["KEY-1"]
    assert markup.restore("pw [KEY-1]!", ORIGINALS) == r"pw \_p\*a\~ss\`1\_!"
    assert (
        markup.restore("`[KEY-1]` and\n```\n[KEY-1]\n```\n", ORIGINALS)
        == f"`{value}` and\n```\n{value}\n```\n"
    )
    assert markup.restore("[EMAIL-12] *x*", ORIGINALS) == f"{MAIL} *x*"


def test_documents_keep_their_places_and_tables_their_shape():
    redaction = Redaction()
    table = Table(
        ["이름", "계좌번호", "메모"],
        [["김민수", "110-123-456789", ""], ["이영희", "110-123-456789", PHONE, MAIL]],
    )
    hidden = redaction.document(Document("a.csv", "csv", [Section(f"call {PHONE}", page=3)], [table]))
    assert hidden.sections == [Section("call [PHONE-1]", page=3)]
    assert hidden.tables[0] == Table(
        ["이름", "계좌번호", "메모"],
        [["김민수", "[ACCOUNT-1]", ""], ["이영희", "[ACCOUNT-1]", "[PHONE-1]", "[EMAIL-1]"]],
    )


PIECE = st.sampled_from(
    [
        PHONE,
        "010-9999-8888",
        MAIL,
        "[PHONE-1]",
        "[phone 2]",
        "PHONE-1",
        "[EMAIL-1]",
        "전화 ",
        "x",
        "\n",
        "[",
        "]",
        "(",
        " 1",
    ]
)


@given(st.lists(st.lists(PIECE, max_size=12).map(" ".join), max_size=4))
def test_whatever_people_write_comes_back_as_they_wrote_it(texts):
    redaction = Redaction()
    hidden = [redaction.text(text) for text in texts]
    assert [restore(text, redaction.originals) for text in hidden] == texts
    assert not any(PHONE in text or MAIL in text for text in hidden)


@pytest.mark.parametrize("run", ["[", "[PHONE-", "[[PHONE 1", "%5B", "`", "PHONE-1 "])
def test_a_megabyte_of_anything_is_read_in_linear_time(run):
    text = run * (1_000_000 // len(run))
    assert placeholders.restore(text, ORIGINALS)
    assert markup.restore(text, ORIGINALS)
