"""The built-in model: what it chooses from English and Korean texts, and what it says of itself."""

import json
import pathlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.model import answers, forms, prompt, summary, tokens
from playground.model.language import LONGEST_SENTENCE, Tokenizer, is_korean
from playground.model.shape import BadShape, Shape
from tasks import plan, recipes
from tasks.recipes import form
from tasks.text import document

ARTICLES = pathlib.Path(__file__).parent / "articles"
ENGLISH = (ARTICLES / "harbour.txt").read_text(encoding="utf-8")
KOREAN = (ARTICLES / "library.txt").read_text(encoding="utf-8")
NOTE = {language: f"*{note}*" for language, note in summary.NOTES.items()}


def said(user: str, system: str = "Summarize.") -> list[dict[str, Any]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def wrapped(text: str, outside: str = "") -> list[dict[str, Any]]:
    return said(f"{outside}\n<text>\n{text}\n</text>\n")


def bullets(answer: str) -> list[str]:
    return [line.removeprefix("- ") for line in answer.splitlines() if line and line not in NOTE.values()]


# Summaries.


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (KOREAN, "ko")])
def test_a_summary_is_sentences_of_the_text_in_their_order_and_the_note(text: str, language: str):
    answer = summary.answer(wrapped(text))
    chosen = bullets(answer)
    assert 4 <= len(chosen) <= 7
    places = [text.index(sentence) for sentence in chosen]
    assert places == sorted(places)
    assert answer.splitlines()[-1] == NOTE[language]
    assert answer.count("LLM_URL") == 1
    assert len("".join(chosen)) < len(text) / 3


def test_an_english_summary_tells_what_the_article_is_about():
    chosen = " ".join(bullets(summary.answer(wrapped(ENGLISH))))
    assert "harbour at Kestrel Bay" in chosen
    assert "crane hours" in chosen


def test_a_korean_summary_tells_what_the_article_is_about():
    chosen = " ".join(bullets(summary.answer(wrapped(KOREAN))))
    assert "2시간 40분" in chosen
    assert "좌석" in chosen


def test_the_same_text_gives_the_same_summary():
    assert summary.answer(wrapped(ENGLISH)) == summary.answer(wrapped(ENGLISH))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("The launch went well.", ["The launch went well."]),
        ("The launch went well. Nobody slept much.", ["The launch went well.", "Nobody slept much."]),
        ("ok", ["ok"]),
        ("회의가 끝났습니다. 내일 다시 만나요.", ["회의가 끝났습니다.", "내일 다시 만나요."]),
        ("1234 5678", ["1234 5678"]),
    ],
)
def test_a_text_of_one_or_two_sentences_is_its_own_summary(text: str, lines: list[str]):
    assert bullets(summary.answer(said(text))) == lines


@pytest.mark.parametrize("text", ["", "   \n\n", "<text>\n</text>", "```\n```"])
def test_no_text_is_said_to_be_none(text: str):
    assert bullets(summary.answer(said(text))) == [summary.EMPTY["en"]]


def test_no_messages_at_all_are_no_text():
    assert bullets(summary.answer([])) == [summary.EMPTY["en"]]


def test_what_is_said_twice_is_chosen_once():
    again = "The server was restarted twice during the night by the operators."
    near = "The server was restarted twice during the night by operators."
    other = "Backups of the database were copied to the second site. The invoices were sent to all customers."
    chosen = bullets(summary.answer(said(f"{again} {near} {again} {other} {again} {near}")))
    assert len(chosen) == 2
    assert sum("restarted" in sentence for sentence in chosen) == 1


def test_sentences_without_a_word_in_common_are_taken_from_the_start():
    """Their similarities are all zero, which sumy alone turns into ranks that are not numbers."""
    text = (
        "Alpha bravo charlie. Delta echo foxtrot. Golf hotel india. Juliett kilo lima. Mike november oscar."
    )
    assert bullets(summary.answer(said(text)))[0] == "Alpha bravo charlie."


@pytest.mark.parametrize(
    "text",
    [
        "word " * 20_000,
        "x" * 100_000,
        "가" * 100_000,
        "하나 둘 셋 넷 다섯 " * 10_000,
        "\n" * 100_000,
        "- \n" * 30_000,
        "." * 100_000,
        "a. " * 30_000,
        "<text>\n" * 15_000,
        ENGLISH * 25,
    ],
)
def test_text_without_shape_does_not_hurt(text: str):
    answer = summary.answer(said(text))
    assert len(bullets(answer)) <= summary.MOST_SENTENCES
    assert len(answer) < 5000


@pytest.mark.parametrize(
    "unit",
    [
        " in region {b} the value of product {a} rose by {c} percent.",
        " {b}번 지역에서 {a}번 제품의 값이 {c}퍼센트 올랐습니다.",
    ],
)
def test_a_book_gets_a_page(unit: str):
    text = "".join("Report:" + unit.format(a=i, b=i % 13, c=i * i % 97) for i in range(3000))
    assert len(text) > 100_000
    assert 3 <= len(bullets(summary.answer(said(text)))) <= summary.MOST_SENTENCES


@settings(max_examples=150)
@given(text=st.text(max_size=400), question=st.text(max_size=40))
def test_any_text_gets_lines_of_its_own_and_the_note(text: str, question: str):
    answer = summary.answer(wrapped(text, question))
    assert answer.splitlines()[-1] in NOTE.values()
    assert len(bullets(answer)) >= 1


def test_fewer_tokens_give_fewer_sentences_and_keep_the_note():
    short = summary.answer(wrapped(ENGLISH), 150)
    assert tokens.count(short) <= 150
    assert short.endswith(NOTE["en"])
    assert len(bullets(short)) < len(bullets(summary.answer(wrapped(ENGLISH))))


# Map, then reduce.


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (KOREAN, "ko")])
def test_notes_of_earlier_steps_are_dropped(text: str, language: str):
    half = len(text) // 2
    parts = [summary.answer(wrapped(part)) for part in (text[:half], text[half:])]
    together = summary.answer(wrapped("\n\n".join(parts)))
    assert together.count("LLM_URL") == 1
    assert together.splitlines()[-1] == NOTE[language]
    assert all(sentence in text for sentence in bullets(together))


def test_a_note_on_one_line_with_other_text_is_dropped_too():
    text = summary.without_notes(f"One. _{summary.NOTES['en']}_ Two. {summary.NOTES['ko']}")
    assert text.split() == ["One.", "Two."]


# The conversation.


def test_only_the_last_user_message_is_the_material():
    messages = [*said("An older text of no interest."), {"role": "assistant", "content": "Done."}]
    messages.append({"role": "user", "content": [{"type": "text", "text": "The launch went well."}]})
    assert bullets(summary.answer(messages)) == ["The launch went well."]


def test_all_blocks_count_and_what_stands_outside_does_not():
    user = "Please summarize this.\n<text>\nThe launch went well.\n</text>\nand\n<text>\nNobody slept.\n</text>\nThanks."
    assert prompt.read(said(user)) == prompt.Material("The launch went well.\n\nNobody slept.", "")


def test_a_block_that_is_not_closed_goes_on_to_the_end():
    assert prompt.read(said("Go.\r\n<text>\r\nOne.\r\nTwo.")).text == "One.\nTwo."


def test_a_tag_inside_a_line_is_text():
    assert prompt.read(said("What does <text> mean in HTML?")).text == "What does <text> mean in HTML?"


@pytest.mark.parametrize(
    ("text", "question", "found"),
    [
        (ENGLISH, "What did the fourth berth cost?", "$212 million"),
        (ENGLISH, "Question: who keeps a photograph on the wall", "photograph of the old anchorage"),
        (ENGLISH, "When did the new system let a ship ask for a berth?", "Since March 2021"),
        (KOREAN, "예산은 얼마를 들였나요?", "예산 4억 원"),
        (KOREAN, "질문: 동아리가 좌석을 어떻게 차지했는지 알려 줘", "동아리가 회원들의 이름으로"),
    ],
)
def test_a_question_gets_the_sentences_nearest_to_it(text: str, question: str, found: str):
    chosen = bullets(summary.answer(wrapped(text, question)))
    assert any(found in sentence for sentence in chosen)
    assert len(chosen) <= 4


def test_a_question_about_something_else_gets_the_summary():
    assert summary.answer(wrapped(ENGLISH, "Wieviel Uhr?")) == summary.answer(wrapped(ENGLISH))


# Sentences and words.


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Kim met Mr. Lee at 3.5 p.m. on Monday. They agreed quickly!", 2),
        ("See Fig. 3 for the results, e.g. the left side. Nothing else matters.", 2),
        ('"We are ready." He said it twice. Was anybody listening?', 3),
        ("어제 배포했다.오늘 확인했다. 문제가 없었나요? 네, 없었습니다!", 4),
        ("価格は上がった。明日は下がる。", 2),
        ("- First point about the release\n- Second point about the budget\n* Third point of them all", 3),
        ("1. 첫 번째 안건을 정리합니다\n2. 두 번째 안건은 다음 주에 봅니다", 2),
        ("> Quoted words from a mail\nAnswered words from another", 2),
        ("# Heading of the page\nThe first sentence of the page.\n\n---\nAnother one follows here.", 2),
        ("A line that was wrapped by an editor at seventy columns and so\ngoes on in the next line.", 1),
        ("```\ncode = here(and, there)\n```\nProse stands outside of the code.", 1),
        ("| a | 1 | 2 |\n|---|---|---|\nThe table above has only numbers.", 1),
    ],
)
def test_sentences_end_where_a_reader_would_say(text: str, sentences: int):
    assert len(Tokenizer().to_sentences(text)) == sentences


def test_long_sentences_are_cut_at_a_space():
    parts = Tokenizer().to_sentences("word " * 200)
    assert all(len(part) <= LONGEST_SENTENCE and part.startswith("word") for part in parts)
    assert " ".join(parts).split() == ["word"] * 200


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("도서관에서", "도서관은"),
        ("서버가", "서버를"),
        ("예약했습니다", "예약하고"),
        ("harbours", "harbour"),
        ("waiting", "waited"),
    ],
)
def test_forms_of_one_word_look_alike(one: str, other: str):
    words = Tokenizer().to_words
    assert set(words(one)) & set(words(other))


@pytest.mark.parametrize(
    ("text", "korean"),
    [
        ("", False),
        ("1234", False),
        ("hello", False),
        ("안녕", True),
        ("Kubernetes 클러스터를 GPU 서버에", True),
        ("the word 가 in English text", False),
    ],
)
def test_language_is_told_by_its_letters(text: str, korean: bool):
    assert is_korean(text) is korean


# Other answers.


@given(text=st.text(max_size=300))
def test_tokens_put_together_are_the_text(text: str):
    assert "".join(tokens.pieces(text)) == text


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (Shape(answer="echo"), "Hello."),
        (Shape(answer="fixed"), "OK."),
        (Shape(answer="fixed", text="네."), "네."),
        (Shape(answer="fixed", text="one two", tokens=5), "one two one two one"),
    ],
)
def test_echo_and_fixed_answers(shape: Shape, expected: str):
    assert answers.write(shape, said("Hello."), 100) == expected


def test_an_answer_may_be_the_instructions():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}]
    assert answers.write(Shape(answer="instructions"), messages, 100) == "Be brief."


def test_a_fixed_answer_has_as_many_tokens_as_asked():
    assert tokens.count(answers.write(Shape(answer="fixed", tokens=333), [], 10**6)) == 333


def test_a_schema_is_filled_with_the_extract():
    schema = {
        "type": "object",
        "properties": {
            "summary": {"type": "string", "maxLength": 9},
            "points": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            "label": {"type": "string", "enum": ["positive", "negative"]},
            "score": {"type": "number", "minimum": 1},
            "sure": {"type": "boolean"},
            "owner": {"type": ["string", "null"]},
            "due": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "items": {"type": "array", "items": {"properties": {"task": {"type": "string"}}}},
            "kind": {"const": "x"},
        },
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    filled = json.loads(answers.write(Shape(), said("The launch went well. Nobody slept much."), 100, wanted))
    assert filled == {
        "summary": "The launc",
        "points": ["The launch went well."],
        "label": "positive",
        "score": 1,
        "sure": False,
        "owner": "",
        "due": None,
        "items": [{"task": "The launch went well."}, {"task": "Nobody slept much."}],
        "kind": "x",
    }


def test_any_json_and_plain_text():
    any_json = forms.wanted({"type": "json_object"}, [])
    assert json.loads(forms.fill(any_json, "a b", ["a", "b"])) == {"text": "a b", "points": ["a", "b"]}
    assert forms.wanted({"type": "text"}, said("Hello.")) is None
    assert "LLM_URL" in answers.write(Shape(), said("Hello."), 100, {"type": "text"})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"slots": 0}, "slots"),
        ({"slots": True}, "slots"),
        ({"context": 0}, "context"),
        ({"queue": -1}, "queue"),
        ({"answer": "x"}, "answer"),
        ({"models": "m"}, "models"),
        ({"nope": 1}, "nope"),
        ({"text": None}, "text"),
    ],
)
def test_a_shape_that_no_server_can_have_is_named(changes: dict[str, Any], named: str):
    with pytest.raises(BadShape, match=re.escape(named)):
        Shape().changed(changes)


def test_a_shape_takes_numbers_lists_and_nothing():
    shape = Shape().changed({"queue": None, "tokens_per_second": 12, "models": ["a"], "memory_tokens": 5})
    assert (shape.queue, shape.tokens_per_second, shape.models, shape.memory_tokens) == (None, 12, ("a",), 5)


def asked_of(recipe_name: str, text: str, question: str | None = None) -> dict:
    """The answer to the first call of a recipe, by its instructions alone; it must fit the recipe's form."""
    recipe = recipes.load().get(recipe_name)
    [step] = plan.first_steps(recipe, [document.bare(text)], question, 8_192)
    answer = answers.write(Shape(), step.messages, step.max_tokens)
    one = form.of(recipe, question)
    checked = form.check(form.of_items(one, step.items) if step.items else one, answer)
    assert not isinstance(checked, form.Bad), checked.problems
    return checked


def test_the_recipes_with_a_form_get_sensible_answers_that_fit_it():
    """So that `make run` shows them without any model, in both languages."""
    said_of = asked_of("sentiment", "상담원이 친절해서 좋았어요.\n배송이 늦고 고장 났어요.\nIt is a box.")[
        "items"
    ]
    assert [each["sentiment"] for each in said_of] == ["positive", "negative", "neutral"]
    labels = asked_of("classify", "It broke.\nLovely, thank you!", "complaint, praise")["items"]
    assert [each["label"] for each in labels] == ["complaint", "praise"]
    tasks = asked_of(
        "action-items", "Jane will send the draft by Friday. It rained. 민수 님이 금요일까지 보냅니다."
    )
    assert [(each["who"], each["when"]) for each in tasks["items"]] == [
        ("Jane", "Friday"),
        ("민수", "금요일"),
    ]
    assert asked_of("extract", "이름: 김민수\n금액: 30만 원", "이름, 금액") == {
        "이름": "김민수",
        "금액": "30만 원",
    }
