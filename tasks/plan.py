"""Which model calls an analysis takes: one, or one for each part of a long text and then joins.

`prepare` asks for the first steps, `infer` for the next ones whenever a level is done, so that the tree
of calls grows as it is walked and nothing has to be planned twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.recipes import Recipe
from tasks.text import placeholders
from tasks.text.chunk import LEAST_BUDGET, pieces, split
from tasks.text.tokens import Count, estimate

_CERTAINTY = 0.9  # tasks.text.tokens: the estimate may be up to 10 % short.
_PER_MESSAGE = 8  # Tokens that chat templates put around each message: 4 to 6 in Llama 3, Qwen and Gemma.
_GROWTH = 2  # A translation from English into Korean takes up to twice the tokens of its text.
_LEAST_ROOM = 4 * LEAST_BUDGET
_SEPARATOR = 8  # Tokens of an answer's number and the blank lines around it, at most.
_KEEP_PLACEHOLDERS = (
    "\n\nNames in square brackets such as [PHONE-1] or [KEY-2] stand for values that are hidden from you; "
    "copy them exactly as they are."
)
_CLOSING_TAG = re.compile(r"<\s*/\s*text\b", re.IGNORECASE)


class PlanError(Exception):
    """No calls can be planned: TooLong (tell the person), ContextTooSmall (tell the operators)."""


class TooLong(PlanError):
    """The text has `tokens` tokens where the recipe or the question's place takes `limit`."""

    def __init__(self, tokens: int, limit: int) -> None:
        self.tokens, self.limit = tokens, limit
        super().__init__(f"{tokens} tokens, and the limit is {limit}")


class ContextTooSmall(PlanError):
    """The model's context of `context_tokens` tokens cannot hold the recipe's instructions and a text."""

    def __init__(self, context_tokens: int, recipe: str) -> None:
        self.context_tokens = context_tokens
        super().__init__(f"a context of {context_tokens} tokens is too small for the recipe {recipe}")


@dataclass(frozen=True)
class StepSpec:
    """One model call to be made. Numbers are in tokens; `tokens_in` is an estimate."""

    kind: Literal["single", "map", "reduce"]
    messages: list[dict[str, str]]
    tokens_in: int
    max_tokens: int


def first_steps(
    recipe: Recipe, text: str, question: str | None, context_tokens: int, count: Count = estimate
) -> list[StepSpec]:
    """One `single` step if `text` fits one call of a model with `context_tokens`, else its `map` steps,
    in the order of the text. `question` is what the person asks of it, or the language to answer in;
    `count` counts the text, best by the model's own tokenizer (tasks.counting).

    Raises TooLong over the recipe's `max_input_tokens`, or if the question leaves too little room; and
    ContextTooSmall.
    """
    asked, limit = estimate(question or ""), context_tokens // 4
    if asked > limit:
        raise TooLong(asked, limit)
    # The estimate leans high: what fits by it need not be counted, which may take a call.
    if estimate(text) > recipe.max_input_tokens and (tokens := count(text)) > recipe.max_input_tokens:
        raise TooLong(tokens, recipe.max_input_tokens)
    text = _defused(text)
    single = _Call("single", recipe, recipe.instructions, question, context_tokens)
    if estimate(text) <= single.budget() or count(text) <= single.budget():
        return [single.step(text)]
    if recipe.parts == "reduce":
        _join(recipe, question, context_tokens).budget()  # Raises now what would else raise after the parts.
    part = _Call("map", recipe, recipe.map_instructions, question, context_tokens)
    return [part.step(chunk) for chunk in split(text, part.budget(), count, recipe.overlap)]


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
    """The answer to the person, once `next_steps` gives nothing more for `answers`."""
    return "\n\n".join(answer.strip() for answer in answers) if len(answers) > 1 else "".join(answers)


@dataclass(frozen=True)
class _Call:
    """A kind of call of one analysis, without its text."""

    kind: Literal["single", "map", "reduce"]
    recipe: Recipe
    instructions: str
    question: str | None
    context_tokens: int

    def answer(self) -> int:
        """Tokens kept for the answer: the recipe's, but not most of a small context."""
        share = 2 if self.recipe.parts == "concat" else 4
        return min(self.recipe.max_answer_tokens, self.context_tokens // share)

    def budget(self) -> int:
        """Tokens of text, by the estimate, that the call has room for."""
        room = int((self.context_tokens - self.answer()) * _CERTAINTY) - self._tokens(self.messages(""))
        if room < _LEAST_ROOM:
            raise ContextTooSmall(self.context_tokens, self.recipe.name)
        return min(room, self.answer() // _GROWTH) if self.recipe.parts == "concat" else room

    def step(self, text: str, *, to_be_joined: bool | None = None) -> StepSpec:
        """The call for `text`. Answers to be joined are short enough for four of them to fit one call."""
        joined = self.kind == "map" if to_be_joined is None else to_be_joined
        answer = self.answer()
        if joined and self.recipe.parts == "reduce":
            answer = min(answer, self.budget() // 4)
        messages = self.messages(text)
        return StepSpec(self.kind, messages, self._tokens(messages), answer)

    def messages(self, text: str) -> list[dict[str, str]]:
        """System and user message; the question stands before the text, outside of the block.

        Without a text, for its size, they say all that they may say.
        """
        label = "Question" if self.recipe.needs_question else "Request"
        asked = f"{label}: {_defused(self.question.strip())}\n\n" if self.question else ""
        hides = not text or placeholders.are_in(f"{asked}\n{text}")
        return [
            {"role": "system", "content": self.instructions + _KEEP_PLACEHOLDERS * hides},
            {"role": "user", "content": f"{asked}<text>\n{text}\n</text>"},
        ]

    @staticmethod
    def _tokens(messages: list[dict[str, str]]) -> int:
        return sum(estimate(message["content"]) + _PER_MESSAGE for message in messages)


def _join(recipe: Recipe, question: str | None, context_tokens: int) -> _Call:
    instructions = recipe.reduce_instructions or recipe.instructions
    return _Call("reduce", recipe, instructions, question, context_tokens)


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
