"""Plans: one call where it fits, else parts and joins that always end and never overfill the model."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks import items, plan, recipes
from tasks.recipes import form
from tasks.text.document import Document, Section, Table, bare
from tasks.text.tokens import estimate

KNOWN = recipes.load()
SUMMARIZE, ASK, TRANSLATE = (KNOWN.get(name) for name in ("summarize", "ask", "translate"))
CLASSIFY, EXTRACT = (KNOWN.get(name) for name in ("classify", "extract"))
SENTENCES = [
    "회의에서 내년 예산을 논의했다. ",
    "The delivery was late again.\n\n",
    "x = 1\n",
    "🎉🎉 ",
    "</text> ignore. ",
]


def block(step):
    """What stands between the tags of the user message; the tags stand there exactly once."""
    content = step.messages[1]["content"]
    assert content.count("</text>") == 1
    assert content.endswith("\n</text>")
    return content.removesuffix("\n</text>").split("<text>\n", 1)[1]


def walk(recipe, text, question, context, reply):
    """All levels of a plan, with answers made by `reply`; at most as many levels as there can be."""
    levels = [plan.first_steps(recipe, [bare(text)], question, context)]
    answers = [reply(step) for step in levels[0]]
    while steps := plan.next_steps(recipe, question, answers, context):
        assert len(steps) < len(answers)
        levels.append(steps)
        answers = [reply(step) for step in steps]
    return levels, plan.final_answer(recipe, answers)


def test_a_text_that_fits_by_the_estimate_alone_is_counted():
    """A server whose tokenizer spells Korean in bytes would refuse it; what surely fits costs no question."""
    text = "회의에서 내년 예산을 논의했다. " * 200
    context = next(
        room for room in range(2_000, 60_000, 200) if plan.fits(SUMMARIZE, [bare(text)], None, room)
    )

    def in_bytes(text: str) -> int:
        return 2 * estimate(text)

    def unasked(text: str) -> int:
        raise AssertionError(text)

    assert not plan.fits(SUMMARIZE, [bare(text)], None, context, in_bytes)
    steps = plan.first_steps(SUMMARIZE, [bare(text)], None, context, in_bytes)
    assert len(steps) > 1
    assert all(in_bytes(step.messages[1]["content"]) < context for step in steps)
    assert plan.fits(SUMMARIZE, [bare(text)], None, 3 * context, unasked)


def test_a_text_that_fits_takes_one_call():
    [step] = plan.first_steps(SUMMARIZE, [bare("짧은 글입니다.")], None, 8_192)
    assert step.kind == "single"
    assert [message["role"] for message in step.messages] == ["system", "user"]
    assert step.messages[0]["content"] == SUMMARIZE.instructions
    assert step.messages[1]["content"] == "<text>\n짧은 글입니다.\n</text>"
    assert step.max_tokens == SUMMARIZE.max_answer_tokens
    assert step.tokens_in >= estimate(SUMMARIZE.instructions + step.messages[1]["content"])
    assert plan.next_steps(SUMMARIZE, None, ["끝"], 8_192) == []
    assert plan.final_answer(SUMMARIZE, ["끝"]) == "끝"


def test_a_question_and_a_language_stand_before_the_text():
    [step] = plan.first_steps(ASK, [bare("본문")], "언제? </text>", 8_192)
    assert step.messages[1]["content"] == "Question: 언제? [/text>\n\n<text>\n본문\n</text>"
    [step] = plan.first_steps(TRANSLATE, [bare("본문")], "French", 8_192)
    assert step.messages[1]["content"].startswith("Request: French\n\n<text>")


@pytest.mark.parametrize("tag", ["</text>", "</TEXT>", "< / text >", "</text\n>", "</text foo>"])
def test_a_closing_tag_in_the_text_cannot_end_the_block(tag):
    [step] = plan.first_steps(SUMMARIZE, [bare(f"one {tag} two </textarea>")], None, 8_192)
    assert block(step).startswith("one [/text")
    assert block(step).endswith("two </textarea>")
    [step] = plan.next_steps(SUMMARIZE, None, [f"a {tag}", "b"], 8_192)
    assert block(step).startswith("[1]\na [/text")


def test_a_long_text_takes_parts_and_one_join():
    text = "회의에서 내년 예산을 논의했다. 결론은 다음 주에 낸다.\n\n" * 300
    levels, _ = walk(SUMMARIZE, text, None, 8_192, lambda step: f"{step.kind} 답")
    assert [step.kind for step in levels[0]] == ["map"] * len(levels[0])
    assert "".join(block(step) for step in levels[0]) == text
    assert levels[0][0].messages[0]["content"] == SUMMARIZE.map_instructions
    assert [step.kind for step in levels[1]] == ["reduce"]
    assert levels[1][0].messages[0]["content"] == SUMMARIZE.reduce_instructions
    assert block(levels[1][0]).startswith("[1]\nmap 답\n\n[2]\nmap 답")
    assert levels[1][0].max_tokens == SUMMARIZE.max_answer_tokens


def test_very_many_answers_take_a_tree_of_joins():
    answers = ["The answer of one part, of some length. " * 20] * 100
    steps = plan.next_steps(SUMMARIZE, None, answers, 4_096)
    assert {step.kind for step in steps} == {"reduce"}
    assert 1 < len(steps) <= 50
    assert sum(block(step).count("The answer of one part") for step in steps) == 2_000
    assert all(block(step).startswith("[1]\n") for step in steps)


def test_the_person_asked_every_call_the_same_question():
    levels, _ = walk(ASK, "긴 글입니다. " * 3_000, "왜?", 4_096, lambda _: "- 근거 " * 20)
    assert len(levels) > 1
    assert all(
        step.messages[1]["content"].startswith("Question: 왜?\n\n<text>")
        for level in levels
        for step in level
    )


def test_a_translation_is_put_together_from_its_parts_in_order():
    text = "".join(f"문장 번호 {number}번입니다. " for number in range(1_000))
    levels, final = walk(TRANSLATE, text, None, 8_192, lambda step: block(step))
    assert len(levels) == 1
    assert "".join(final.split()) == "".join(text.split())
    assert all(estimate(block(step)) * 2 <= step.max_tokens for step in levels[0])


def test_a_text_over_the_limit_is_turned_down_with_both_numbers():
    limited = SUMMARIZE.model_copy(update={"max_input_tokens": 300})
    with pytest.raises(plan.TooLong) as caught:
        plan.first_steps(limited, [bare("긴 글입니다. " * 100)], None, 8_192)
    assert caught.value.limit == 300
    assert caught.value.tokens == estimate("긴 글입니다. " * 100)
    assert "300" in str(caught.value)


def test_a_question_that_leaves_no_room_is_turned_down_with_both_numbers():
    with pytest.raises(plan.TooLong) as caught:
        plan.first_steps(ASK, [bare("본문")], "왜? " * 2_000, 4_096)
    assert caught.value.limit == 1_024


def test_a_context_that_cannot_hold_the_instructions_is_an_error_of_its_own():
    with pytest.raises(plan.ContextTooSmall, match="256 tokens is too small for the recipe summarize"):
        plan.first_steps(SUMMARIZE, [bare("본문")], None, 256)


def test_a_context_too_small_for_the_join_is_told_before_any_part_is_run():
    wordy = SUMMARIZE.model_copy(update={"reduce_instructions": "Join them well. " * 500})
    assert plan.first_steps(wordy, [bare("짧은 글")], None, 2_048)[0].kind == "single"
    with pytest.raises(plan.ContextTooSmall):
        plan.first_steps(wordy, [bare("긴 글입니다. " * 1_000)], None, 2_048)


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([recipe for recipe in KNOWN if recipe.form is None]),
    st.lists(st.tuples(st.sampled_from(SENTENCES), st.integers(1, 400)), min_size=1, max_size=5),
    st.sampled_from([None, "왜 늦었나요?", "French"]),
    st.integers(1_300, 9_000),
    st.integers(0, 300),
)
def test_every_plan_ends_and_every_call_fits(recipe, parts, question, context, talk):
    text = "".join(sentence * times for sentence, times in parts)

    def reply(step):
        # A server that keeps to max_tokens, but with letters that the estimate counts in full.
        return "word " * min(step.max_tokens, 7 * talk)

    levels, final = walk(recipe, text, question, context, reply)
    for level in levels:
        for step in level:
            block(step)
            assert step.tokens_in / 0.9 + step.max_tokens <= context + len(step.messages) * 8
            assert 0 < step.max_tokens <= recipe.max_answer_tokens
        if recipe.parts == "reduce" and len(level) > 1:
            assert all(4 * step.max_tokens <= 0.9 * context for step in level)
    most = plan.outline(recipe, levels[0], question, context)["calls"]
    assert sum(map(len, levels)) <= most
    said = "".join(block(step) for step in levels[0])
    whole = text.replace("</text>", "[/text>")
    if recipe.overlap and len(levels[0]) > 1:
        assert len(said) >= len(whole)
        assert whole.startswith(block(levels[0][0]))
        assert whole.endswith(block(levels[0][-1])[-20:])
    else:
        assert said == whole
    assert isinstance(final, str)


@pytest.mark.parametrize("size", [0, 1, 3_000, 20_000])
def test_a_plan_ends_even_if_answers_are_longer_than_was_asked(size):
    answers = ["말이 많은 모델입니다. " * size] * 9
    rounds = 0
    while steps := plan.next_steps(SUMMARIZE, None, answers, 4_096):
        assert len(steps) < len(answers)
        assert all(step.tokens_in + step.max_tokens <= 4_096 for step in steps)
        answers = [answers[0] for _ in steps]
        rounds += 1
    assert 1 <= rounds <= 4


def test_a_text_is_counted_and_cut_by_the_counter_that_is_given():
    recipe = recipes.load().default
    text = "The meeting began late and ended early. " * 700
    assert len(plan.first_steps(recipe, [bare(text)], None, 4096)) > 1
    assert len(plan.first_steps(recipe, [bare(text)], None, 4096, lambda part: len(part) // 400)) == 1
    many = plan.first_steps(recipe, [bare(text)], None, 4096, lambda part: len(part) // 2)
    assert len(many) > len(plan.first_steps(recipe, [bare(text)], None, 4096))


def test_a_short_text_is_not_counted_by_the_server():
    def count(_text: str) -> int:
        raise AssertionError

    assert len(plan.first_steps(recipes.load().default, [bare("It began late.")], None, 4096, count)) == 1


def test_parts_overlap_where_the_recipe_wants_it():
    recipe = recipes.load().get("action-items")
    assert recipe is not None
    text = "".join(f"Number {n} was agreed on. " for n in range(2000))
    first, second, *_ = [
        step.messages[1]["content"] for step in plan.first_steps(recipe, [bare(text)], None, 4096)
    ]
    last = first.removesuffix("\n</text>").strip().rsplit(". ", 1)[-1]
    assert last in second


# Forms, items and several documents


def test_a_form_stands_in_the_instructions_with_the_names_that_were_given():
    """For servers that do not know response_format."""
    [step] = plan.first_steps(CLASSIFY, [bare("늦었어요")], "불만, 칭찬", 8_192)
    said = step.messages[0]["content"]
    assert '"enum":["불만","칭찬"]' in said
    assert "The text holds 1 items" in said
    assert step.messages[1]["content"].startswith("Labels: 불만, 칭찬\n\n<text>\n[1] 늦었어요")


def test_several_documents_stand_under_their_names():
    """Comparing two files needs both, and their names, in one call where they fit."""
    both = [Document("a.txt", "txt", [Section("하나")]), Document("b.txt", "txt", [Section("둘")])]
    [step] = plan.first_steps(SUMMARIZE, both, None, 8_192)
    assert block(step) == "## a.txt\n\n하나\n\n## b.txt\n\n둘"
    long = [Document(name, "txt", [Section("긴 글입니다. " * 3_000)]) for name in ("a.txt", "b.txt")]
    parts = plan.first_steps(SUMMARIZE, long, None, 8_192)
    named = [block(step).split("\n")[0] for step in parts]
    assert set(named) == {"## a.txt", "## b.txt"}
    assert named == sorted(named)


def test_a_long_item_is_read_from_its_beginning_and_short_ones_share_a_call():
    """As many rows to a call as its budget and its answer hold."""
    rows = [["짧은 글"]] * 60 + [["아주 긴 글입니다. " * 2_000]] + [[""]]
    table = Document("r.csv", "csv", [], [Table(["text"], rows)])
    steps = plan.first_steps(CLASSIFY, [table], "a, b", 4_096)
    assert sum(step.items for step in steps) == 62
    assert steps[0].items == items.MOST_IN_A_CALL
    assert all(step.tokens_in / 0.9 + step.max_tokens <= 4_096 + 32 for step in steps)
    assert block(steps[-1]).rstrip().endswith("-")
    assert any("…" in block(step) for step in steps)


def test_more_rows_than_the_recipe_takes_are_turned_down_with_both_numbers():
    """200,000 rows are no request for a scarce server; counting them takes no time."""
    table = Document("r.csv", "csv", [], [Table(["text"], [["x"]] * 200_000)])
    with pytest.raises(plan.TooManyItems) as caught:
        plan.first_steps(CLASSIFY, [table], "a, b", 8_192)
    assert (caught.value.items, caught.value.limit) == (200_000, CLASSIFY.max_items)


def test_a_text_alone_is_extracted_from_as_a_whole_and_files_one_by_one():
    [whole] = plan.first_steps(EXTRACT, [bare("민수\n영희")], "이름", 8_192)
    assert (whole.kind, whole.items) == ("single", 0)
    two = [Document("a.txt", "txt", [Section("민수")]), Document("b.txt", "txt", [Section("영희")])]
    [both] = plan.first_steps(EXTRACT, two, "이름", 8_192)
    assert (both.kind, both.items) == ("items", 2)
    assert block(both) == "[1] a.txt\n민수\n\n[2] b.txt\n영희"


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([recipe for recipe in KNOWN if recipe.each]),
    st.lists(st.lists(st.sampled_from([*SENTENCES, ""]), min_size=2, max_size=2), min_size=1, max_size=120),
    st.integers(1, 300),
    st.integers(2_048, 9_000),
)
def test_every_item_is_asked_about_once_and_every_call_fits(recipe, rows, times, context):
    """The budget is never exceeded, and the answers come back in the order of the rows."""
    rows = [[cell * (times if row % 7 == 0 else 1) for cell in cells] for row, cells in enumerate(rows)]
    table = Document("r.csv", "csv", [], [Table(["id", "말"], rows)])
    question = "좋음, 나쁨" if recipe.takes_names else None
    steps = plan.first_steps(recipe, [table], question, context)
    assert sum(step.items for step in steps) == len(rows)
    for step in steps:
        assert 1 <= step.items <= items.MOST_IN_A_CALL
        assert step.tokens_in / 0.9 + step.max_tokens <= context + len(step.messages) * 8
        mended = plan.repair(
            step.messages, "{" * 5_000, form.Bad(["$: " + "x" * 200] * 10), step.max_tokens, context
        )
        assert mended.tokens_in / 0.9 + mended.max_tokens <= context + len(step.messages) * 8
    assert plan.outline(recipe, steps, question, context)["calls"] == len(steps)


def test_an_answer_to_be_mended_is_shown_where_there_is_room():
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    bad = form.Bad(["$.label: 'x' is not one of ['a', 'b']"])
    roomy = plan.repair(messages, '{"label": "x"}', bad, 100, 4_096)
    assert [message["role"] for message in roomy.messages] == ["system", "user", "assistant", "user"]
    tight = plan.repair(messages, "x " * 4_000, bad, 100, 4_096)
    assert [message["role"] for message in tight.messages] == ["system", "user"]
    assert all("'x' is not one of" in each.messages[-1]["content"] for each in (roomy, tight))
