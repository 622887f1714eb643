"""The recipes that answer in a form, from the question to the files in the thread, in both languages."""

import csv
import io
import json
from typing import Any

import pytest

from playground.slack.files import SIGNED_IN
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, Stack, kind_of

pytestmark = pytest.mark.timeout(300)

REVIEWS = "id\ttext\n1\tIt broke after a day.\n2\tLovely, thank you!\n3\t=SUM(A1:A9) arrived late."
KOREAN_REVIEWS = (
    "번호\t글\n1\t배송이 늦고 고장 났어요.\n2\t상담원이 친절해서 좋았어요.\n3\t환불은 언제 되나요?"
)


def files(stack: Stack, channel: str, ts: str, *endings: str) -> dict[str, bytes]:
    """The files in a thread, by their endings, once there is one of each."""

    def found() -> dict[str, bytes] | None:
        named = {
            file["name"].rpartition(".")[2]: file
            for reply in stack.thread(channel, ts)
            for file in reply.get("files", [])
        }
        if not set(endings) <= named.keys():
            return None
        # As the page's browser gets them: this app may not read files.
        person = {"Cookie": SIGNED_IN}
        return {
            ending: stack.http.get(file["url_private"], headers=person).content
            for ending, file in named.items()
        }

    return dict(stack.wait(found, f"files {endings}"))


def blocks(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in message["blocks"] if block["type"] == kind]


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_sentiment_of_rows_comes_with_a_chart_a_table_and_files(stack: Stack) -> None:
    """Each row and all of them, in Korean for somebody who speaks it; the JSON beside them."""
    ts = stack.say(MINJI, GENERAL, f"<@U0BOT> 감성 {KOREAN_REVIEWS}")
    answer = stack.answer(GENERAL, ts)
    [chart] = blocks(answer, "data_visualization")
    labels = {segment["label"]: segment["value"] for segment in chart["chart"]["segments"]}
    assert labels == {"부정": 1, "긍정": 1, "중립": 1}
    assert "전체:" in answer["text"]
    assert len(blocks(answer, "table")) == 1
    got = files(stack, GENERAL, ts, "json", "csv")
    assert [each["answer"]["sentiment"] for each in json.loads(got["json"])["items"]] == [
        "negative",
        "positive",
        "neutral",
    ]
    assert rows(got["csv"])[0] == ["번호", "글", "감성", "확신", "이유"]
    assert rows(got["csv"])[1][:3] == ["1", "배송이 늦고 고장 났어요.", "부정"]


def test_sentiment_of_one_line_is_a_few_fields(stack: Stack) -> None:
    ts = stack.say(ADA, GENERAL, "<@U0BOT> sentiment Support was kind and the delivery excellent.")
    answer = stack.answer(GENERAL, ts)
    assert "sentiment: positive" in answer["text"]
    assert not blocks(answer, "data_visualization")


def test_rows_are_classified_by_the_labels_that_are_given_and_come_back_with_new_columns(
    stack: Stack,
) -> None:
    """A table in, a table out: the person's values as they were, the model's beside them."""
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> classify complaint, praise, question\n{REVIEWS}")
    assert "complaint" in stack.answer(GENERAL, ts)["text"]
    table = rows(files(stack, GENERAL, ts, "csv", "json")["csv"])
    assert table[0] == ["id", "text", "label", "certainty"]
    assert [row[:3] for row in table[1:]] == [
        ["1", "It broke after a day.", "complaint"],
        ["2", "Lovely, thank you!", "praise"],
        ["3", "=SUM(A1:A9) arrived late.", "complaint"],
    ]


def test_a_thread_is_classified_message_by_message(stack: Stack) -> None:
    """The words of the mention are the labels, and the thread holds the items."""
    ts = stack.say(ADA, GENERAL, "배송이 늦고 고장 났어요.")
    stack.say(LEO, GENERAL, "상담원이 친절해서 좋았어요.", thread_ts=ts)
    stack.say(MINJI, GENERAL, "<@U0BOT> 분류 불만, 칭찬, 문의", thread_ts=ts)
    stack.answer(GENERAL, ts)
    said = json.loads(files(stack, GENERAL, ts, "json")["json"])["items"]
    assert [each["answer"]["label"] for each in said] == ["불만", "칭찬"]


def test_action_items_come_as_a_table(stack: Stack) -> None:
    """By command, in both languages: who, what, by when."""
    ts = stack.say(
        ADA,
        GENERAL,
        "<@U0BOT> action-items It rained. Jane will send the draft by Friday. 민수 님이 금요일까지 보냅니다.",
    )
    answer = stack.answer(GENERAL, ts)
    [table] = blocks(answer, "table")
    assert len(table["rows"]) == 3
    assert all(word in answer["text"] for word in ("by when", "Jane", "Friday", "민수", "금요일"))


def test_the_fields_that_are_named_are_filled_from_a_text(stack: Stack) -> None:
    ts = stack.say(MINJI, GENERAL, "<@U0BOT> 추출 이름, 금액, 기한\n이름: 김민수\n금액: 30만 원")
    answer = stack.answer(GENERAL, ts)
    assert "이름: 김민수" in answer["text"]
    assert "기한: –" in answer["text"]
    assert json.loads(files(stack, GENERAL, ts, "json")["json"]) == {
        "이름": "김민수",
        "금액": "30만 원",
        "기한": "",
    }


def test_labels_that_are_missing_are_asked_for(stack: Stack) -> None:
    ts = stack.say(MINJI, GENERAL, "<@U0BOT> 분류 불만: 배송이 늦었어요")
    failure = stack.wait(lambda: stack.replies(GENERAL, ts, "failure"), "a failure")[0]
    assert "라벨이 두 개가 되지 않습니다" in failure["text"]


def test_a_broken_form_is_mended_once_and_then_told_with_what_there_is(stack: Stack) -> None:
    """One repair call; after a second broken answer the person reads it."""
    text = "<@U0BOT> action-items Jane will send the draft by Friday."
    stack.act("faults/model", kind="bad_schema", times=1)
    ts = stack.say(ADA, GENERAL, text)
    assert "Jane" in stack.answer(GENERAL, ts)["text"]
    stack.act("faults/model", kind="bad_schema", times=2)
    ts = stack.say(ADA, GENERAL, text)
    failure = stack.wait(lambda: stack.replies(GENERAL, ts, "failure"), "a failure")[0]
    assert "asked twice" in failure["text"]
    assert any("Here is what I found" in str(block) for block in failure["blocks"])


def test_a_server_that_knows_no_schema_is_asked_in_words(stack: Stack) -> None:
    stack.act("model", response_format="refuse")
    try:
        ts = stack.say(ADA, GENERAL, "<@U0BOT> classify complaint, praise: It broke after a day.")
        assert "complaint" in stack.answer(GENERAL, ts)["text"]
    finally:
        stack.act("model", response_format="take")


def test_a_chart_that_slack_refuses_comes_as_a_picture(stack: Stack) -> None:
    """With its words for people who do not see it."""
    stack.hold_model()
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> classify complaint, praise\n{REVIEWS}")
    stack.wait(lambda: stack.replies(GENERAL, ts, "card"), "the card")
    stack.act("faults/slack", method="chat.postMessage", kind="error", error="invalid_blocks", times=1)
    stack.let_model_go()
    answer = stack.answer(GENERAL, ts)
    assert not blocks(answer, "data_visualization")
    assert "1. complaint: 2" in str(answer["blocks"])
    got = files(stack, GENERAL, ts, "png", "csv", "json")
    assert got["png"].startswith(b"\x89PNG")
    [picture] = [
        file
        for reply in stack.thread(GENERAL, ts)
        for file in reply.get("files", [])
        if file["name"].endswith(".png")
    ]
    assert picture["alt_txt"] == "1. complaint: 2, 2. praise: 1"


def test_a_plan_of_many_calls_waits_for_its_persons_word(stack: Stack) -> None:
    """The card asks; others cannot press; the person's press runs it once."""
    lines = "\n".join(f"{number}\tIt broke on day {number}." for number in range(1, 1101))
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> classify complaint, praise\nid\ttext\n{lines}")

    def asks() -> dict[str, Any] | None:
        card = next(iter(stack.replies(GENERAL, ts, "card")), {})
        return card if "Run it" in str(card.get("blocks")) else None

    card = stack.wait(asks, "the card asks")
    assert "begin only with your word" in card["text"]
    assert "1100 items" in card["text"]
    press = {"channel": GENERAL, "ts": card["ts"], "action_id": "confirm"}
    stack.act("press", user=LEO, **press)
    assert stack.api("GET", "/api/line").json()["backends"][0]["waiting"] == 0
    assert kind_of(asks() or {}) == "card"
    stack.act("press", user=ADA, **press)
    stack.wait(lambda: stack.replies(GENERAL, ts, "result"), "the result", 120)
    assert len(rows(files(stack, GENERAL, ts, "csv")["csv"])) == 1101


def test_an_answer_in_a_form_by_http(stack: Stack) -> None:
    """The result is JSON, and a plan of many calls is confirmed by a call."""
    lines = "\n".join(f"배송이 늦고 고장 났어요, {number}번째." for number in range(1100))
    made = stack.api("POST", "/api/analyses", json={"recipe": "분류", "text": f"불만, 칭찬\n{lines}"}).json()
    path = f"/api/analyses/{made['id']}"

    def now(*states: str, **having: Any) -> dict[str, Any] | None:
        said = stack.api("GET", path).json()
        fits = said["state"] in states and having.items() <= said.items()
        return said if fits else None

    held = stack.wait(lambda: now("waiting", needs_confirmation=True), "the plan")
    assert held["calls"] >= 44
    assert stack.api("POST", f"{path}/confirm").json()["needs_confirmation"] is False
    assert stack.api("POST", f"{path}/confirm").status_code == 409
    done = stack.wait(lambda: now("done", "failed"), "the end", 120)
    said = json.loads(done["result"])["items"]
    assert {each["answer"]["label"] for each in said} == {"불만"}
    assert len(said) == 1100


def test_a_question_about_a_long_text_is_answered_from_passages_and_says_where_they_stand(
    stack: Stack,
) -> None:
    """One call instead of one for each part; in the language of the question."""
    filler = "\n\n".join(
        f"{number}번 안건은 다음 회의에서 다룬다. 참석자는 모두 열 명이었다. " * 4 for number in range(100)
    )
    fact = "도서관은 아침 아홉 시에 문을 열고 저녁 여섯 시에 닫는다."
    ts = stack.say(
        MINJI, GENERAL, f"<@U0BOT> 질문 도서관은 몇 시에 문을 여나요?\n{filler}\n\n{fact}\n\n{filler}"
    )
    answer = stack.answer(GENERAL, ts)
    assert "아홉 시" in answer["text"]
    assert "읽은 구절" in answer["text"]
    cards = stack.replies(GENERAL, ts, "card")
    stack.wait(lambda: "마쳤습니다" in stack.replies(GENERAL, ts, "card")[0]["text"], "the card says done")
    assert len(cards) == 1
