"""What the stand-in says: the built-in summary, an echo, or a fixed text."""

from typing import Any

from playground.model import forms, prompt, summary, tokens
from playground.model.shape import Shape

_FILLER = "lorem ipsum dolor sit amet"


def write(
    shape: Shape, messages: list[dict[str, Any]], max_tokens: int, form: dict[str, Any] | None = None
) -> str:
    """The whole answer. Summaries of long texts take up to a second, so call it in a thread."""
    if shape.answer == "echo":
        return prompt.last_user_text(messages)
    if shape.answer == "fixed":
        return _fixed(shape)
    if form is not None:
        chosen = summary.sentences(messages)
        filled = forms.fill(form, " ".join(chosen), chosen)
        if filled is not None:
            return filled
    return summary.answer(messages, max_tokens)


def _fixed(shape: Shape) -> str:
    if shape.tokens is None:
        return shape.text or "OK."
    # With a space before each round, so that rounds do not grow together at their ends.
    units = tokens.pieces(" " + (shape.text.strip() or _FILLER))
    return "".join((units * (shape.tokens // len(units) + 1))[: shape.tokens]).lstrip()
