"""Which model calls an analysis takes: one; one for each part of a long text and then joins; one for a few items
each; or one that reads the passages that bear on a question.

`prepare` asks for the first steps, `infer` for the next ones whenever a level is done, so that the tree
of calls grows as it is walked and nothing has to be planned twice.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tasks import items
from tasks.recipes import Recipe, form
from tasks.text import placeholders
from tasks.text.chunk import LEAST_BUDGET, pieces, split
from tasks.text.document import Document
from tasks.text.tokens import Count, estimate

_CERTAINTY = 0.9  # tasks.text.tokens: the estimate may be up to 10 % short.
_SHORT = 2  # A vocabulary without Korean spells a syllable in 3 bytes, for which the estimate has 1.5 tokens.
_PER_MESSAGE = 8  # Tokens that chat templates put around each message: 4 to 6 in Llama 3, Qwen and Gemma.
_GROWTH = 2  # A translation from English into Korean takes up to twice the tokens of its text.
_LEAST_ROOM = 4 * LEAST_BUDGET
_SEPARATOR = 8  # Tokens of an answer's number and the blank lines around it, at most.
_KEEP_PLACEHOLDERS = (
    "\n\nNames in square brackets such as [PHONE-1] or [KEY-2] stand for values that are hidden from you; "
    "copy them exactly as they are."
)
_PROBLEMS = 200  # Tokens kept for telling what is wrong with an answer that breaks its form.
_CLOSING_TAG = re.compile(r"<\s*/\s*text\b", re.IGNORECASE)

_CITE = (
    "The text holds passages of a longer one, each after its number in brackets. After each statement write the "
    "number of the passage it rests on, such as [3]."
)


class PlanError(Exception):
    """No calls can be planned: TooLong (tell the person), ContextTooSmall (tell the operators)."""


class TooLong(PlanError):
    """The text has `tokens` tokens where the recipe or the question's place takes `limit`."""

    def __init__(self, tokens: int, limit: int) -> None:
        self.tokens, self.limit = tokens, limit
        super().__init__(f"{tokens} tokens, and the limit is {limit}")


class TooManyItems(PlanError):
    """The request has `items` rows, and the recipe takes `limit`."""

    def __init__(self, count: int, limit: int) -> None:
        self.items, self.limit = count, limit
        super().__init__(f"{count} items, and the limit is {limit}")


class ContextTooSmall(PlanError):
    """The model's context of `context_tokens` tokens cannot hold the recipe's instructions and a text."""

    def __init__(self, context_tokens: int, recipe: str) -> None:
        self.context_tokens = context_tokens
        super().__init__(f"a context of {context_tokens} tokens is too small for the recipe {recipe}")


Kind = Literal["single", "map", "reduce", "items", "passages"]


@dataclass(frozen=True)
class StepSpec:
    """One model call to be made. Numbers are in tokens; `tokens_in` is an estimate."""

    kind: Kind
    messages: list[dict[str, str]]
    tokens_in: int
    max_tokens: int
    items: int = 0
    """Items that it answers, by their numbers in it."""


def first_steps(
    recipe: Recipe,
    documents: Sequence[Document],
    question: str | None,
    context_tokens: int,
    count: Count = estimate,
) -> list[StepSpec]:
    """The calls that read `documents` with a model of `context_tokens`, in the order of the text: `items` steps
    where the recipe answers for each item, else one `single` step if all fits one call, else `map` steps.
    `question` is what the person asks of it, the language to answer in, or the names to go by;
    `count` counts the text, best by the model's own tokenizer (tasks.counting).

    Raises TooLong over the recipe's `max_input_tokens`, or if the question leaves too little room;
    TooManyItems; and ContextTooSmall.
    """
    check(recipe, documents, question, context_tokens, count)
    of = items.sources(documents, recipe.each)
    if of:
        return _items(recipe, of, question, context_tokens)
    if fits(recipe, documents, question, context_tokens, count):
        return [_single(recipe, question, context_tokens).step(_defused(whole(documents)))]
    if recipe.parts == "reduce":
        _join(recipe, question, context_tokens).budget()  # Raises now what would else raise after the parts.
    if len(documents) == 1:
        documents = [replace(documents[0], name="")]
    part = _Call("map", recipe, recipe.map_instructions or "", question, context_tokens)
    return [
        part.step(text)
        for document in documents
        for text in _parts(document, part.budget(), count, recipe.overlap)
    ]


def check(
    recipe: Recipe,
    documents: Sequence[Document],
    question: str | None,
    context_tokens: int,
    count: Count = estimate,
) -> None:
    """Raise TooLong or TooManyItems where the request has more than the recipe takes."""
    asked, limit = estimate(question or ""), context_tokens // 4
    if asked > limit:
        raise TooLong(asked, limit)
    # Before the tokens: counting those of a million rows takes long.
    rows = items.count(items.sources(documents, recipe.each))
    if rows > recipe.max_items:
        raise TooManyItems(rows, recipe.max_items)
    most = recipe.max_input_tokens
    # The estimate leans high: what fits by it need not be counted, which may take a call.
    if sum(estimate(document.text) for document in documents) > most:
        tokens = sum(count(document.text) for document in documents)
        if tokens > most:
            raise TooLong(tokens, most)


def fits(
    recipe: Recipe,
    documents: Sequence[Document],
    question: str | None,
    context_tokens: int,
    count: Count = estimate,
) -> bool:
    """Whether all documents fit one call."""
    text, budget = _defused(whole(documents)), _single(recipe, question, context_tokens).budget()
    return _SHORT * estimate(text) <= budget or count(text) <= budget


def whole(documents: Sequence[Document]) -> str:
    """The text of all documents; of several, each stands under its name if it has one."""
    if len(documents) == 1:
        return documents[0].text
    return "\n\n".join(_named(document.name, document.text) for document in documents)


def passages_room(recipe: Recipe, question: str | None, context_tokens: int) -> int:
    """Tokens of passages that one call can read."""
    return _passages(recipe, question, context_tokens).budget()


def from_passages(recipe: Recipe, text: str, question: str | None, context_tokens: int) -> list[StepSpec]:
    """The one call that answers from passages, whose `text` is within `passages_room`."""
    return [_passages(recipe, question, context_tokens).step(text)]


def outline(
    recipe: Recipe, steps: Sequence[StepSpec], question: str | None, context_tokens: int
) -> dict[str, Any]:
    """The plan in numbers, for its person to read (`plan.<kind>` in the catalogue): its kind, its first steps, the
    items they answer, and the calls it will take at most, joins included.
    """
    kind = "concat" if steps[0].kind == "map" and recipe.parts == "concat" else steps[0].kind
    calls = level = len(steps)
    if kind == "map":
        # As many answers to a join as fit if each has its full length, and three at least.
        room = _join(recipe, question, context_tokens).budget()
        group = max(3, room // (steps[0].max_tokens + _SEPARATOR))
        while level > 1:
            level = -(-level // group)
            calls += level
    return {"kind": kind, "parts": len(steps), "items": sum(step.items for step in steps), "calls": calls}


def next_steps(
    recipe: Recipe, question: str | None, answers: Sequence[str], context_tokens: int
) -> list[StepSpec]:
    """What follows when all steps of a level are done and gave `answers`, in order: [] if that was all,
    else one `reduce` step, or several if one call cannot hold all answers; always fewer than `answers`.

    An answer of more than half of a call's room, which can come only from a server that does not keep to
    `max_tokens`, or where the estimate is more than twice too high, is cut at a sentence.
    """
    if len(answers) < 2 or recipe.parts == "concat":
        return []
    call = _join(recipe, question, context_tokens)
    groups = _groups([_defused(answer).strip() for answer in answers], call.budget())
    return [call.step(_numbered(group), to_be_joined=len(groups) > 1) for group in groups]


def final_answer(recipe: Recipe, answers: Sequence[str]) -> str:
    """The answer to the person, once `next_steps` gives nothing more for `answers`; JSON if the recipe has a form."""
    if recipe.form is not None:
        return json.dumps(form.read(answers[0]), ensure_ascii=False)
    return "\n\n".join(answer.strip() for answer in answers) if len(answers) > 1 else "".join(answers)


def repair(
    messages: list[dict[str, str]], answer: str, bad: form.Bad, max_tokens: int, context_tokens: int
) -> StepSpec:
    """The call that asks for an answer once more, with what is wrong with the one that was given; the broken answer
    itself is left out where it leaves too little room.
    """
    wrong = _cut("\n".join(f"- {problem}" for problem in bad.problems), _PROBLEMS // 2)
    asked = f"This answer does not fit the form:\n{wrong}\nGive all of it again, mended, as one JSON object."
    again = [*messages, {"role": "assistant", "content": answer}, {"role": "user", "content": asked}]
    if (context_tokens - max_tokens) * _CERTAINTY < _tokens(again):
        short = f"{messages[-1]['content']}\n\nAn earlier answer did not fit the form:\n{wrong}\nMind that."
        again = [*messages[:-1], {**messages[-1], "content": short}]
    return StepSpec("single", again, _tokens(again), max_tokens)


@dataclass(frozen=True)
class _Call:
    """A kind of call of one analysis, without its text."""

    kind: Kind
    recipe: Recipe
    instructions: str
    question: str | None
    context_tokens: int

    def answer(self) -> int:
        """Tokens kept for the answer: the recipe's, but not most of a small context."""
        share = 2 if self.recipe.parts == "concat" or self.kind == "items" else 4
        return min(self.recipe.max_answer_tokens, self.context_tokens // share)

    def budget(self) -> int:
        """Tokens of text, by the estimate, that the call has room for."""
        room = int((self.context_tokens - self.answer()) * _CERTAINTY) - _tokens(self.messages(""))
        room -= _PROBLEMS if self.recipe.form else 0
        if room < _LEAST_ROOM:
            raise ContextTooSmall(self.context_tokens, self.recipe.name)
        return min(room, self.answer() // _GROWTH) if self.recipe.parts == "concat" else room

    def step(self, text: str, *, to_be_joined: bool | None = None, count: int = 0) -> StepSpec:
        """The call for `text`. Answers to be joined are short enough for four of them to fit one call."""
        joined = self.kind == "map" if to_be_joined is None else to_be_joined
        answer = self.answer()
        if joined and self.recipe.parts == "reduce":
            answer = min(answer, self.budget() // 4)
        messages = self.messages(text, count)
        return StepSpec(self.kind, messages, _tokens(messages), answer, count)

    def messages(self, text: str, count: int = items.MOST_IN_A_CALL) -> list[dict[str, str]]:
        """System and user message; the question stands before the text, outside of the block.

        Without a text, for its size, they say all that they may say.
        """
        label = (self.recipe.takes_names or "question" * self.recipe.needs_question or "request").capitalize()
        asked = f"{label}: {_defused(self.question.strip())}\n\n" if self.question else ""
        hides = not text or placeholders.are_in(f"{asked}\n{text}")
        instructions = self.instructions + _KEEP_PLACEHOLDERS * hides
        return [
            {"role": "system", "content": instructions + self._form(count)},
            {"role": "user", "content": f"{asked}<text>\n{text}\n</text>"},
        ]

    def _form(self, count: int) -> str:
        """What the answer must look like, for servers that do not hold the model to it."""
        schema = form.of(self.recipe, self.question)
        if schema is None:
            return ""
        said = ""
        if self.kind == "items":
            schema = form.of_items(schema, count)
            said = f"The text holds {count} items, each after its number in brackets. Answer for every one.\n"
        asked = f"{said}Answer with one JSON object and nothing else. It fits this JSON schema:"
        return f"\n\n{asked}\n{form.written(schema)}"


def _single(recipe: Recipe, question: str | None, context_tokens: int) -> _Call:
    return _Call("single", recipe, recipe.instructions, question, context_tokens)


def _passages(recipe: Recipe, question: str | None, context_tokens: int) -> _Call:
    return _Call("passages", recipe, f"{recipe.instructions}\n\n{_CITE}", question, context_tokens)


def _join(recipe: Recipe, question: str | None, context_tokens: int) -> _Call:
    instructions = recipe.reduce_instructions or recipe.instructions
    return _Call("reduce", recipe, instructions, question, context_tokens)


def _items(
    recipe: Recipe, of: Sequence[items.Source], question: str | None, context_tokens: int
) -> list[StepSpec]:
    call = _Call("items", recipe, recipe.instructions, question, context_tokens)
    fields = len(form.names(question)) if recipe.takes_names == "fields" else 1
    most = max(1, call.answer() // (recipe.item_tokens * max(1, fields)))
    return [
        call.step(_defused(items.numbered(batch)), count=len(batch))
        for batch in items.batches(of, call.budget(), most)
    ]


def _parts(document: Document, budget: int, count: Count, overlap: int) -> list[str]:
    """One document in parts that fit, each under its name."""
    name = _named(document.name, "")
    texts = split(_defused(document.text), budget - estimate(name), count, overlap)
    return [_named(document.name, text) for text in texts]


def _named(name: str, text: str) -> str:
    return f"## {_defused(name)}\n\n{text}" if name else text


def _tokens(messages: list[dict[str, str]]) -> int:
    return sum(estimate(message["content"]) + _PER_MESSAGE for message in messages)


def _defused(text: str) -> str:
    """`text` with any closing tag of the text block broken, so that it cannot end the block early."""
    return _CLOSING_TAG.sub("[/text", text)


def _groups(answers: list[str], budget: int) -> list[list[str]]:
    """`answers` in order, in as few groups as fit `budget` tokens each; of two answers at least, but
    for the last, so that there are always fewer groups than answers.
    """
    groups: list[list[str]] = []
    used = budget
    for answer in (_cut(each, budget // 2 - _SEPARATOR) for each in answers):
        cost = estimate(answer) + _SEPARATOR
        if used + cost > budget:
            groups.append([])
            used = 0
        groups[-1].append(answer)
        used += cost
    if len(groups) > 1 and len(groups[-1]) == 1 and len(groups[-2]) > 2:
        groups[-1].insert(0, groups[-2].pop())
    return groups


def _cut(answer: str, budget: int) -> str:
    return answer if estimate(answer) <= budget else next(pieces(answer, budget - 2)).text.rstrip() + " …"


def _numbered(answers: list[str]) -> str:
    if len(answers) == 1:
        return answers[0]
    return "\n\n".join(f"[{number}]\n{answer}" for number, answer in enumerate(answers, 1))
