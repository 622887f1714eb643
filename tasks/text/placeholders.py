"""Placeholders such as `[PHONE-1]` in what a model says, and the values that they stand for."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from tasks.text.kind import Kind

# What models make of `[PHONE-1]`: other case, brackets and dashes, escapes, percent signs in links. Without any
# brackets only the exact word, for `phone 1` is something that people say.
_WORDS = "|".join(Kind)
_OPEN, _CLOSE = r"(?i:\\?[\[{<【［]|%5B)", r"(?i:\\?[\]}>】］]|%5D)"
PATTERN = re.compile(
    rf"(?P<open>{_OPEN}{{1,2}}) ?(?P<kind>(?i:{_WORDS})) ?[-–—‑‒−_ :#]? ?(?P<number>\d{{1,6}}) ?"
    rf"(?P<close>{_CLOSE}{{1,2}})"
    rf"|(?<![A-Za-z0-9_-])(?P<bare>(?:{_WORDS})-\d{{1,6}})(?![A-Za-z0-9_-])"
)

_BRACKET = re.compile(rf"{_OPEN}|{_CLOSE}")

Originals = Mapping[str, str]
"""What stands behind each placeholder: {"PHONE-1": "010-1234-5678"}."""


def restore(text: str, originals: Originals, written: Callable[[str], str] = str) -> str:
    """`text` with the values of `originals` in the place of their placeholders, each as `written` writes it.

    What is no placeholder of these originals stays as it is.
    """
    if not originals:
        return text

    def value(match: re.Match[str]) -> str:
        original = originals.get(name_in(match))
        if original is None:
            return match[0]
        if match["bare"]:
            return written(original)
        opened, closed = _BRACKET.findall(match["open"]), _BRACKET.findall(match["close"])
        pairs = min(len(opened), len(closed))
        # In Markdown the brackets of a link are not the placeholder's.
        if opened[-1] == "[" and closed[0] == "]" and text.startswith("(", match.end()):
            pairs -= 1
        before, after = "".join(opened[: len(opened) - pairs]), "".join(closed[pairs:])
        in_address = opened[-1].startswith("%")
        return before + (quote(original, safe="@+") if in_address else written(original)) + after

    return PATTERN.sub(value, text)


def are_in(text: str) -> bool:
    """Whether anything in `text` may be a placeholder."""
    return PATTERN.search(text) is not None


def name_in(match: re.Match[str]) -> str:
    """`PHONE-1` for every spelling of it."""
    return match["bare"] or f"{match['kind'].upper()}-{int(match['number'])}"
