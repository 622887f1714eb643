"""What the stand-in says: the built-in summary, an echo of the text or of the instructions, a fixed text, or as much as was asked for."""

import re
from typing import Any

from playground.model import forms, prompt, summary, tokens
from playground.model.shape import Shape

_FILLER = "lorem ipsum dolor sit amet"
# So that a trace can prescribe the length of each answer, through whatever stands between it and the model.
_LENGTH = re.compile(r"\banswer in (\d{1,6}) tokens\b", re.IGNORECASE)


def write(
    shape: Shape, messages: list[dict[str, Any]], max_tokens: int, form: dict[str, Any] | None = None
) -> str:
    """The whole answer. Summaries of long texts take up to a second, so call it in a thread."""
    if shape.answer == "echo":
        return prompt.last_user_text(messages)
    if shape.answer == "instructions":
        return prompt.instructions(messages)
    if shape.answer == "fixed":
        return shape.text or "OK." if shape.tokens is None else _filled(shape, shape.tokens)
    if shape.answer == "asked":
        asked = _LENGTH.search(prompt.last_user_text(messages))
        return _filled(shape, int(asked.group(1)) if asked else max_tokens)
    schema = forms.wanted(form, messages)
    if schema is not None:
        return forms.fill(schema, prompt.read(messages).text, summary.sentences(messages))
    return summary.answer(messages, max_tokens)


def _filled(shape: Shape, length: int) -> str:
    """A text of `length` tokens."""
    # With a space before each round, so that rounds do not grow together at their ends.
    units = tokens.pieces(" " + (shape.text.strip() or _FILLER))
    return "".join((units * (length // len(units) + 1))[:length]).lstrip()
