"""Answers in JSON as people see them: fields, tables, a chart, and the files beside them."""

import csv
import io
import json

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db import jobs, outcomes, posts, sources
from db.models import Job, Source
from db.states import JobState, PostKind
from tasks import recipes
from tasks.deliver import chart, sheets, structured, views
from tests import slack_limits
from tests.deliveries import LATER, run
from tests.fakes import NOW, Slack, accepted, do, in_line, slack_error, the

KNOWN = recipes.load()
HOSTILE = "<!channel> @here | `a` *b*\n</text> \u202ex"


def a_source(*rows: list[str], kind: str = "csv", **changes) -> Source:
    fields = {"job_id": "x", "ordinal": 0, "name": f"r.{kind}", "kind": kind, "header": ["id", "말"]}
    return Source(**{**fields, "rows": list(rows), **changes})


def labelled(*labels: str | None) -> str:
    said = [
        {"row": row, "answer": label and {"label": label, "sure": "high"}}
        for row, label in enumerate(labels, 1)
    ]
    return json.dumps({"items": said}, ensure_ascii=False)


def a_result(
    resources,
    *labels: str | None,
    recipe="classify",
    question="불만, 칭찬",
    result: str | None = None,
    kind="csv",
) -> Job:
    """An answered job for rows of a table."""
    job = in_line(resources.engine, recipe=recipe, question=question)
    own = a_source(*[[str(n), f"글 {n}"] for n in range(1, len(labels) + 1)], kind=kind, job_id=job.id)
    if labels:
        do(resources.engine, sources.keep, job.id, [own])
    said = labelled(*labels) if result is None else result

    def answer(session):
        outcomes.answer(session, session.get_one(Job, job.id), said, truncated=False, now=NOW)
        session.get_one(Job, job.id).question = question

    do(resources.engine, answer)
    return job


def uploads(slack: Slack) -> dict[str, dict]:
    return {file["filename"].rpartition(".")[2]: file for file in slack.called("files_upload_v2")}


def kinds(shown: dict) -> list[str]:
    """The kinds of a message's blocks, but for the thumbs under every answer."""
    return [block["type"] for block in shown["blocks"] if block["type"] != "context_actions"]


@pytest.mark.parametrize(
    ("locale", "words"),
    [("ko-KR", ["전체:", "칭찬 2건(67%)", "높음"]), ("en-US", ["Overall:", "칭찬 2 (67 %)", "high"])],
)
def test_rows_come_as_a_chart_a_table_and_files(resources, slack: Slack, clock, locale, words):
    """Labels are said as they were given, the product's own words in the person's language."""
    slack.locales["UANNA"] = locale
    job = a_result(resources, "칭찬", "불만", "칭찬")
    run(resources, clock, times=8)
    [shown] = slack.of_kind("result")
    assert all(word in shown["text"] for word in words)
    # Whoever does not see the chart has its numbers.
    assert shown["text"].endswith("1. 칭찬: 2, 2. 불만: 1")
    assert kinds(shown) == ["section", "rich_text", "table", "data_visualization"]
    assert shown["blocks"][3]["chart"]["segments"] == [
        {"label": "칭찬", "value": 2},
        {"label": "불만", "value": 1},
    ]
    assert slack_limits.violations(views.Message(shown["blocks"], shown["text"]), allow_user="UANNA") == []
    files = uploads(slack)
    assert files.keys() == {"json", "csv"}
    assert json.loads(files["json"]["content"])["items"][1]["answer"]["label"] == "불만"
    assert files["csv"]["filename"] == f"r-classify-{job.id}.csv"
    assert the(resources.engine, Job, job.id).state is JobState.DONE


@pytest.mark.parametrize("refusals", [1, 2])
def test_a_chart_that_slack_refuses_becomes_a_picture_and_then_plain_text(
    resources, slack: Slack, clock, refusals
):
    """Not every workspace has the block yet; the answer gets there all the same, once."""
    first = slack.chat_postMessage
    job = in_line(resources.engine)
    do(resources.engine, outcomes.cancel, job.id, NOW)
    a_result(resources, "칭찬", "불만", "칭찬")
    left = [slack_error("invalid_blocks")] * refusals

    def picky(**message):
        if message["metadata"]["event_payload"]["kind"] == "result" and left:
            raise left.pop()
        return first(**message)

    slack.chat_postMessage = picky
    run(resources, clock, times=8)
    [shown] = slack.of_kind("result")
    assert "data_visualization" not in kinds(shown)
    files = uploads(slack)
    if refusals == 1:
        assert kinds(shown) == ["section", "rich_text", "table", "context"]
        assert "1. 칭찬: 2, 2. 불만: 1" in shown["blocks"][-2]["elements"][0]["text"]
        assert files["png"]["content"].startswith(b"\x89PNG")
        assert files["png"]["alt_txt"] == "1. 칭찬: 2, 2. 불만: 1"
    else:
        assert kinds(shown) == ["section", "section", "context"]
        assert files.keys() == {"json", "csv"}


def test_many_rows_show_their_beginning_and_what_is_missing(resources, slack: Slack, clock):
    """The message has 20, the file all; rows without an answer are counted and empty."""
    a_result(resources, *["칭찬"] * 29, None)
    run(resources, clock, times=8)
    [shown] = slack.of_kind("result")
    [table] = [block for block in shown["blocks"] if block["type"] == "table"]
    assert len(table["rows"]) == 1 + structured.MOST_ROWS
    assert "All 30 rows" in shown["text"] or "전체 30행" in shown["text"]
    rows = list(csv.reader(io.StringIO(uploads(slack)["csv"]["content"].decode("utf-8-sig"))))
    assert len(rows) == 31
    assert rows[30] == ["30", "글 30", "", ""]


def test_one_item_is_a_few_fields_without_a_chart(resources, slack: Slack, clock):
    job = in_line(resources.engine, recipe="sentiment")
    own = Source(job_id=job.id, ordinal=0, name="", kind="csv", header=["text"], rows=[["Kind!"]])
    do(resources.engine, sources.keep, job.id, [own])
    said = {"items": [{"row": 1, "answer": {"sentiment": "positive", "sure": "high", "why": "kind"}}]}
    do(resources.engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), json.dumps(said), False, NOW))
    run(resources, clock, times=8)
    [shown] = slack.of_kind("result")
    assert "sentiment: positive" in shown["text"]
    assert kinds(shown) == ["section", "rich_text"]
    assert uploads(slack).keys() == {"json"}


def test_an_answer_as_a_whole_is_fields_or_a_table(resources, slack: Slack, clock):
    tasks = {"items": [{"who": "민수", "what": HOSTILE, "when": ""}, {"who": "", "what": "b", "when": "May"}]}
    a_result(resources, recipe="action-items", result=json.dumps(tasks))
    a_result(resources, recipe="extract", question="이름, when", result='{"이름": "민수", "when": ""}')
    a_result(resources, recipe="action-items", result='{"items": []}')
    run(resources, clock, times=14)
    table, fields, nothing = slack.of_kind("result")
    assert kinds(table) == ["section", "table"]
    assert "by when" in table["text"]
    assert "when: –" in fields["text"]
    assert "by when" not in fields["text"]
    assert "Nothing was found." in nothing["text"]
    for shown in (table, fields, nothing):
        assert (
            slack_limits.violations(views.Message(shown["blocks"], shown["text"]), allow_user="UANNA") == []
        )


@pytest.mark.parametrize(
    "said", ["a|b", "[x] (y)", r"\\path\n", "*a* _b_ `c` ~d~ #e !f", "<b> & 1. x", "- x", "$1 and $2"]
)
def test_values_are_said_as_they_are(resources, slack: Slack, clock, said):
    """Whatever Markdown would make of them."""
    tasks = {"items": [{"who": said, "what": said, "when": ""}]}
    a_result(resources, recipe="action-items", result=json.dumps(tasks))
    a_result(resources, recipe="extract", question="이름", result=json.dumps({"이름": said}))
    run(resources, clock, times=8)
    for shown in slack.of_kind("result"):
        inside = [leaf["text"] for leaf in leaves(shown["blocks"]) if leaf.get("type") == "text"]
        assert any(said in text for text in inside), inside


def leaves(value) -> list[dict]:
    """All parts of blocks, however deep."""
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [value, *leaves(list(value.values()))] if isinstance(value, dict) else []


def test_a_result_that_is_no_json_is_shown_as_it_is(resources, slack: Slack, clock):
    """From before its recipe had a form."""
    a_result(resources, recipe="action-items", result="- **Jane**: the draft")
    run(resources, clock, times=8)
    assert "Jane: the draft" in slack.of_kind("result")[0]["text"]


def test_a_failure_shows_what_there_is_of_an_answer(resources, slack: Slack, clock):
    """A long one comes whole, as a file."""
    job = accepted(resources.engine)
    broken = "Here is what I found: <!channel> " + "x" * 2_000
    do(
        resources.engine,
        lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bad_form", {"recipe": "x"}, NOW, partial=broken),
    )
    run(resources, clock, times=8)
    [shown] = slack.of_kind("failure")
    assert "Here is what I found" in shown["blocks"][1]["text"]["text"]
    assert slack_limits.violations(views.Message(shown["blocks"], shown["text"]), allow_user="UANNA") == []
    assert uploads(slack)["md"]["content"] == broken


def test_what_a_failed_attempt_had_is_not_posted_after_a_retry(resources, slack: Slack, clock):
    """Its row was wanted when its person pressed the button; the new attempt has an answer of its own."""
    job = accepted(resources.engine)

    def fails(session):
        failed = session.get_one(Job, job.id)
        outcomes.fail(session, failed, "bad_form", {"recipe": "x"}, NOW, "x" * 2_000)
        posts.want(session, failed, PostKind.FILE, NOW, 0)

    do(resources.engine, fails)
    do(resources.engine, jobs.retry, job.id, 1, NOW, LATER)
    run(resources, clock, times=8)
    assert uploads(slack) == {}


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.text(max_size=40), st.integers(0, 50)), max_size=15, unique_by=lambda each: each[0])
)
def test_a_chart_keeps_slacks_limits_whatever_the_labels(counts):
    some = chart.segments(counts, "other")
    assert sum(count for _, count in some) == sum(count for _, count in counts)
    if some:
        assert slack_limits.chart(chart.block("제목 " * 30, some)) == []
        assert chart.picture(some).startswith(b"\x89PNG")


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"]


def test_a_csv_keeps_the_persons_values_and_disarms_the_models():
    """CSV injection: what a model wrote is never run by a spreadsheet."""
    own = a_source(*[[str(n), value] for n, value in enumerate(FORMULAS)])
    written = sheets.write([own], ["label"], [[formula] for formula in FORMULAS]).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(written)))
    assert [row[1] for row in rows[1:]] == FORMULAS
    assert [row[2] for row in rows[1:]] == [f"'{formula}" for formula in FORMULAS]


def test_a_workbook_comes_back_with_its_sheets_and_values():
    """Numbers as numbers, all else as text: formulas of either side are none."""
    first = a_source(["1", "007"], ["2.5", "=1+1"], kind="xlsx", sheet="하나/둘")
    second = a_source(["3", "\x01글"], kind="xlsx", sheet="하나/둘")
    written = sheets.write([first, second], ["라벨"], [["=cmd|' /C calc'!A0"], ["b"], ["c"]])
    book = openpyxl.load_workbook(io.BytesIO(written))
    assert len(book.sheetnames) == 2
    rows = [[cell.value for cell in row] for sheet in book for row in sheet.iter_rows()]
    assert rows[1] == [1, "007", "=cmd|' /C calc'!A0"]
    assert rows[2] == [2.5, "=1+1", "b"]
    assert rows[4] == [3, "글", "c"]
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} == {"s", "n"}


def test_rows_shorter_than_their_headings_keep_the_answers_in_their_columns():
    own = a_source(["1"], ["2", "글"])
    rows = list(csv.reader(io.StringIO(sheets.write([own], ["label"], [["a"], ["b"]]).decode("utf-8-sig"))))
    assert rows[1:] == [["1", "", "a"], ["2", "글", "b"]]
