"""Which recipe a person's words name: `/analyze <recipe> <text>`, the recipe optional."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Protocol

from tasks.recipes.recipe import Recipe, key, letters

# A mistyped name is taken for one from here on (difflib ratio), higher than for a suggestion: a person
# who names no recipe must not be stopped because their text starts with a word that resembles one.
_MISTYPED = 0.8

_WRAPS = dict(zip("'\"“‘`*_<[「", "'\"”’`*_>]」", strict=True))
_HEAD = re.compile(
    r"(?P<open>['\"“‘`*_<\[「]?)(?P<word>[^\W_][\w-]*?)(?P<close>['\"”’`*_>\]」]?)(?=[\s:：,.!?~]|$)"
)
_PLEASE = r"(?:해\s?(?:줘요?|주세요|주실래요|줄래요?|봐|달라)|부탁\s?(?:해요?|드려요|드립니다|드릴게요))"
_REQUEST = re.compile(
    rf"(?P<word>[가-힣]{{1,8}}?(?:\s[가-힣])??)[을를]?\s?(?:좀\s?)?{_PLEASE}(?=[\s:：,.!?~]|$)"
)
_THIS = re.compile(r"^\s+(?:this|the following|it)(?=\s*[:：])", re.IGNORECASE)
_GAP = re.compile(r"^[\s:：.!~]*(?:,\s)?\s*")
_ONE_WORD = re.compile(r"[\w-]{1,20}")

_TO_KOREAN_STYLE = re.compile(
    rf"^([가-힣]{{1,8}}어|한글|한국말)(?:으?로)(?:\s*번역)?(?:\s?{_PLEASE})?(?=[\s:：,]|$)[\s:：,]*"
)
_LANGUAGES = (
    "korean|english|japanese|chinese|simplified chinese|traditional chinese|french|german|spanish|italian|"
    "portuguese|russian|vietnamese|thai|indonesian|arabic|hindi|turkish|polish|dutch|ukrainian"
)
_TO_ENGLISH_STYLE = re.compile(
    rf"^(?:(?:in)?to\s+)?({_LANGUAGES})(?:\s*[:：]\s*|\s*\n)|^(?:in)?to\s+({_LANGUAGES})\b\s*", re.IGNORECASE
)
_NAMES = re.compile(r"([^:：\n]*)[:：]?\s*(.*)", re.DOTALL)
_QUESTION_MARK = re.compile(r"[?？]+[\"'”’)]*(?=\s|$)")


@dataclass(frozen=True)
class Asked:
    """What a command asks for."""

    recipe: Recipe
    """The recipe that was named, else the default one."""
    text: str
    """What is left for the recipe to work on; may be empty."""
    unknown: str | None = None
    """A word that looks as if it should name a recipe, and names none. The caller says so."""
    named: bool = False
    """Whether the person named the recipe."""


class _Known(Protocol):
    default: Recipe

    def get(self, name_or_alias: str) -> Recipe | None: ...
    def closest(self, word: str, at_least: float = ...) -> str | None: ...


def parse(recipes: _Known, text: str) -> Asked:
    """The recipe that the first word of `text` (or the first two: "key points") names, and the rest.

    A name may stand in quotes, brackets or bold, be followed by a colon, and in Korean by a request
    (`번역해줘`, `요약 부탁드려요`). A first word that is almost a name, or a short one that is all there
    is, comes back as `unknown`, with the default recipe and the whole text.
    """
    text = unicodedata.normalize("NFC", text).strip()
    request = _REQUEST.match(text)
    if request and (recipe := recipes.get(request["word"].replace(" ", ""))):
        return Asked(recipe, _without_filler(text[request.end() :]), named=True)
    head = _head(text)
    if head is None:
        return Asked(recipes.default, text)
    word, rest = head
    after = _head(rest.lstrip())
    if after and (both := recipes.get(word + after[0])) and not recipes.get(word):
        return Asked(both, _without_filler(after[1]), named=True)
    if recipe := recipes.get(word):
        return Asked(recipe, _without_filler(rest), named=True)
    if _mistyped(recipes, word) or (_ONE_WORD.fullmatch(word) and not rest.strip(" :：.!?~,")):
        return Asked(recipes.default, text, word)
    return Asked(recipes.default, text)


def _head(text: str) -> tuple[str, str] | None:
    """The first word without its wrapping, and what follows; None if it is not a word."""
    found = _HEAD.match(text)
    if not found or _WRAPS.get(found["open"], "") != found["close"]:
        return None
    return found["word"], text[found.end() :]


def _without_filler(rest: str) -> str:
    return _GAP.sub("", _THIS.sub("", rest, count=1), count=1).rstrip()


def _mistyped(recipes: _Known, word: str) -> bool:
    """Whether `word` is a recipe's name but for a slip, and not another word that shares its beginning.

    Korean particles make `질문이` out of `질문`, so there the number of syllables must agree.
    """
    name = recipes.closest(word, _MISTYPED)
    recipe = recipes.get(name) if name else None
    known = [recipe.name, *recipe.aliases] if recipe else []
    slack = 0 if re.search("[가-힣]", word) else 2
    return any(_resembles(word, each, slack) for each in known)


def _resembles(word: str, known: str, slack: int) -> bool:
    a, b = letters(key(word)), letters(key(known))
    return len(b) >= 4 and a[0] == b[0] and abs(len(known) - len(word)) <= slack


def split_request(recipe: Recipe, text: str) -> tuple[str | None, str]:
    """What the person wants to know of `text`, and the text itself; (None, text) if the recipe takes
    neither a question, names nor a language, or none is found.

    A question is the first line of several, else what stands up to the first question mark, else all.
    Names stand up to the first colon or line end, else they are all there is: `complaint, praise: ...`.
    A language is named at the very start: `영어로 ...`, `to French: ...`, `Japanese: ...`.
    """
    if recipe.takes_names:
        found = _NAMES.match(text.strip())
        return (found[1].strip() or None, found[2].strip()) if found else (None, "")
    if recipe.needs_question:
        return _split_question(text.strip())
    if recipe.takes_language and (found := _TO_KOREAN_STYLE.match(text) or _TO_ENGLISH_STYLE.match(text)):
        return next(filter(None, found.groups())), text[found.end() :].strip()
    return None, text


def _split_question(text: str) -> tuple[str | None, str]:
    first, _, rest = text.partition("\n")
    if not rest.strip() and (mark := _QUESTION_MARK.search(text)):
        first, rest = text[: mark.end()], text[mark.end() :]
    return first.strip() or None, rest.strip()
