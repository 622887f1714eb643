"""Values put back into Markdown, so that they are read as they are."""

import re

from tasks.text import fences, placeholders

_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)[^`\n]+\1(?!`)")
# What opens a style inside of a word (CommonMark 0.31, section 6); an underscore does so at its edges only.
_STYLED = re.compile(r"[*~`]|^_|_$")


def restore(text: str, originals: placeholders.Originals) -> str:
    """`placeholders.restore` for Markdown: outside of code, signs of a value that would be styles are escaped."""
    if not originals:
        return text
    parts, at = [], 0
    for start, end in _code(text):
        parts += [
            placeholders.restore(text[at:start], originals, _escaped),
            placeholders.restore(text[start:end], originals),
        ]
        at = end
    return "".join([*parts, placeholders.restore(text[at:], originals, _escaped)])


def _escaped(value: str) -> str:
    return _STYLED.sub(lambda found: f"\\{found[0]}", value)


def _code(text: str) -> list[tuple[int, int]]:
    """Where fences and code spans are."""
    blocks = [(fence.start, fence.end) for fence in fences.find(text)]
    spans, at = [], 0
    for start, end in [*blocks, (len(text), len(text))]:
        spans += [found.span() for found in _CODE.finditer(text, at, start)]
        at = end
    return sorted([*blocks, *spans])
