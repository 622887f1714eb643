"""Words that are filled in get the particle and the noun that a native speaker would give them."""

import pytest

from tasks import catalogue
from tasks.catalogue.particles import FORMS, particle


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("요약", "요약을 요약은 요약이 요약과 요약으로"),
        ("번역기", "번역기를 번역기는 번역기가 번역기와 번역기로"),
        ("질문", "질문을 질문은 질문이 질문과 질문으로"),
        ("서울", "서울을 서울은 서울이 서울과 서울로"),
        ("할 일", "할 일을 할 일은 할 일이 할 일과 할 일로"),
        ("GPT", "GPT를 GPT는 GPT가 GPT와 GPT로"),
        ("LLM", "LLM을 LLM은 LLM이 LLM과 LLM으로"),
        ("URL", "URL을 URL은 URL이 URL과 URL로"),
        ("main", "main을 main은 main이 main과 main으로"),
        ("summarize", "summarize를 summarize는 summarize가 summarize와 summarize로"),
        ("email", "email을 email은 email이 email과 email로"),
        ("bot", "bot을 bot은 bot이 bot과 bot으로"),
        ("test", "test를 test는 test가 test와 test로"),
        ("gpu-1", "gpu-1을 gpu-1은 gpu-1이 gpu-1과 gpu-1로"),
        ("gpu-2", "gpu-2를 gpu-2는 gpu-2가 gpu-2와 gpu-2로"),
        ("qwen3", "qwen3을 qwen3은 qwen3이 qwen3과 qwen3으로"),
        ("100", "100을 100은 100이 100과 100으로"),
    ],
)
def test_each_form_after_each_kind_of_ending(word, said):
    """Syllables by their final, digits and letters by their reading; 으로 differs after ㄹ."""
    assert " ".join(word + particle(word, form) for form in FORMS) == said


@pytest.mark.parametrize("word", ["", "요약 :)", "日本", "🎉", "%"])
def test_where_the_reading_is_unknown_both_forms_are_written(word):
    """Better clumsy than wrong."""
    expected = "을" if word.startswith("요약") else "을(를)"
    assert particle(word, "을") == expected


def test_signs_around_a_word_are_not_spoken():
    """Code and bold marks, brackets and full stops."""
    assert particle("`요약`", "을") == particle("*요약*", "을") == particle("요약).", "을") == "을"


@pytest.fixture
def texts(monkeypatch):
    """A catalogue of a few texts of the test's own."""
    told = {
        "with": "{name:을} 멈췄습니다.",
        "alone": "`{name}`{name:-은} 없습니다.",
        "count": "{parts:part|parts} of {total}",
    }
    monkeypatch.setattr(catalogue, "_texts", lambda _language: told)


def test_a_place_may_ask_for_a_particle(texts):
    """With the word, or alone after a sign."""
    assert catalogue.say("ko", "with", name="main") == "main을 멈췄습니다."
    assert catalogue.say("ko", "alone", name="배치") == "`배치`는 없습니다."


@pytest.mark.parametrize(("parts", "said"), [(0, "0 parts"), (1, "1 part"), ("1", "1 part"), (2, "2 parts")])
def test_a_place_may_ask_for_a_noun_that_agrees(texts, parts, said):
    """English has two forms."""
    assert catalogue.say("en", "count", parts=parts, total=9) == f"{said} of 9"
