"""Answers in JSON: the schema with a person's names in it, and what fits it."""

import json

import pytest

from tasks import items, recipes
from tasks.recipes import form
from tasks.text.document import Document, Section, Table, bare

KNOWN = recipes.load()
CLASSIFY, EXTRACT, SENTIMENT = (KNOWN.get(name) for name in ("classify", "extract", "sentiment"))
LABELS = form.of(CLASSIFY, "불만, 칭찬")


def answer(*labels, first=1):
    said = [{form.ROW: row, "label": label, "sure": "high"} for row, label in enumerate(labels, first)]
    return json.dumps({"items": said}, ensure_ascii=False)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("불만, 칭찬, 문의", ["불만", "칭찬", "문의"]),
        ("complaint，praise、question", ["complaint", "praise", "question"]),
        (' "due date" ; *amount* ', ["due date", "amount"]),
        ("a, a, , b", ["a", "b"]),
        ("", []),
        (None, []),
    ],
)
def test_names_are_read_as_people_write_them(question, names):
    assert form.names(question) == names


def test_names_stand_in_the_form_as_choices_and_as_fields():
    assert LABELS["properties"]["label"]["enum"] == ["불만", "칭찬"]
    fields = form.of(EXTRACT, "이름, 금액")
    assert list(fields["properties"]) == fields["required"] == ["이름", "금액"]
    assert form.of(KNOWN.default, None) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "불만", "sure": "high"}',
        '```json\n{"label": "불만", "sure": "high"}\n```',
        'Sure! {"label": "불만", "sure": "high"} Done.',
    ],
)
def test_an_answer_is_read_bare_fenced_or_among_words(text):
    assert form.check(LABELS, text) == {"label": "불만", "sure": "high"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I cannot do that.", "not one JSON object"),
        ('{"label": "불', "cut off"),
        ('{"label": "행복", "sure": "high"}', "not one of"),
        ('{"label": "불만"}', "'sure' is a required property"),
        ('["불만"]', "is not of type 'object'"),
        ("[" * 100_000, "not one JSON object"),
    ],
)
def test_what_is_wrong_is_told_in_words_for_the_model(text, problem):
    bad = form.check(LABELS, text)
    assert isinstance(bad, form.Bad)
    assert problem in " ".join(bad.problems)
    assert all(len(each) < 300 for each in bad.problems)


def test_each_item_must_be_answered_once():
    schema = form.of_items(LABELS, 2)
    assert not isinstance(form.check(schema, answer("불만", "칭찬")), form.Bad)
    for wrong in (answer("불만"), answer("불만", "칭찬", "불만"), answer("불만", "칭찬", first=2)):
        assert isinstance(form.check(schema, wrong), form.Bad)
    twice = json.loads(answer("불만", "칭찬"))
    twice["items"][1][form.ROW] = 1
    assert "number 1 stands there more than once" in form.check(schema, json.dumps(twice)).problems[0]


def test_of_a_broken_answer_the_items_that_fit_are_used():
    """The first answer for a number counts; others stay without one."""
    broken = json.loads(answer("불만", "행복", "칭찬"))
    broken["items"].append({form.ROW: 1, "label": "칭찬", "sure": "low"})
    assert form.usable(LABELS, 3, json.dumps(broken)) == {
        1: {"label": "불만", "sure": "high"},
        3: {"label": "칭찬", "sure": "high"},
    }
    assert form.usable(LABELS, 3, "no") == form.usable(LABELS, 3, '{"items": 5}') == {}


def test_answers_of_all_calls_are_put_together_in_order():
    said = items.gather(LABELS, [answer("불만", "칭찬"), "broken", answer("칭찬")], [2, 1, 1])
    assert [each["row"] for each in said] == [1, 2, 3, 4]
    assert [each["answer"] and each["answer"]["label"] for each in said] == ["불만", "칭찬", None, "칭찬"]


def test_what_the_items_are():
    """Rows of tables, else files, else lines; with each = "row" a text alone is none."""
    table = Document("r.xlsx", "xlsx", [], [Table(["a"], [["1"]], "S1"), Table(["a"], [["2"], ["3"]], "S2")])
    assert items.count(items.sources([table, bare("x")], "row")) == 3
    assert items.count(items.sources([bare("하나\n\n둘 ")], "line")) == 2
    assert items.sources([bare("하나\n둘")], "row") == []
    assert items.sources([table], None) == []
    thread = Document("", "thread", [Section("Ann: one\ntwo"), Section("Ben: three")])
    assert list(items.texts(items.sources([thread], "line"))) == ["Ann: one two", "Ben: three"]


def test_a_row_is_read_with_its_headings():
    table = Document("r.csv", "csv", [], [Table(["id", "말"], [["1", "늦\n었어요"], ["", ""]])])
    assert list(items.texts(items.sources([table], "row"))) == ["id: 1 | 말: 늦 었어요", "-"]
