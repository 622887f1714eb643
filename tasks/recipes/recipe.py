"""What a recipe file may say, and its errors told by file and line."""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

RESERVED = frozenset({"help", "status", "cancel"})
"""Words that `/analyze` takes for itself (DESIGN, section 8)."""

_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Line = Annotated[_Words, StringConstraints(pattern=r"^[^\n]+$", max_length=150)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Bilingual(_Strict):
    """One line for people, in both languages."""

    en: _Line
    ko: _Line

    def of(self, language: str) -> str:
        """The line in that language."""
        return self.ko if language == "ko" else self.en


class Recipe(_Strict):
    """One analysis that people can ask for; a file of this folder. Limits are in tokens."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=32)]
    aliases: list[Annotated[str, StringConstraints(pattern=r"^[\w-]+$", max_length=32)]] = []
    default: bool = False
    """Used when the person names no recipe; exactly one recipe has it."""
    needs_question: bool = False
    """The text comes with a question (`command.split_request` finds it)."""
    takes_language: bool = False
    """The person may name a language to answer in (`command.split_request` finds it)."""
    parts: Literal["reduce", "concat"] = "reduce"
    """How the answers for the parts of a long text become one: by further calls, or one after another
    as they are, for answers as long as the text itself, such as a translation."""
    max_answer_tokens: Annotated[int, Field(ge=16, le=32_768)]
    max_input_tokens: Annotated[int, Field(ge=256)]
    """A longer text is turned down, with both numbers."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.2
    instructions: _Words
    map_instructions: _Words
    reduce_instructions: _Words | None = None
    purpose: Bilingual
    example: Bilingual

    def called(self, language: str) -> str:
        """What to call it when speaking with somebody: in Korean its first Korean alias, else its name."""
        korean = (alias for alias in self.aliases if re.search("[가-힣]", alias))
        return next(korean, self.name) if language == "ko" else self.name

    @model_validator(mode="after")
    def _reduces_or_not(self) -> "Recipe":
        if (self.parts == "reduce") != (self.reduce_instructions is not None):
            # The message starts with the key, so that its line can be found.
            wants = "missing" if self.parts == "reduce" else "of no use"
            raise ValueError(f"reduce_instructions: is {wants} with parts = '{self.parts}'")
        return self


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, in one sentence, and where."""

    file: Path
    line: int
    says: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.says}"


class RecipeError(Exception):
    """Recipe files are broken; `problems` tells all of them, and str() one on each line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


def key(word: str) -> str:
    """How names are compared: case, Unicode form, hyphens and underscores do not count."""
    return re.sub(r"[-_]", "", unicodedata.normalize("NFC", word).casefold())


def letters(word: str) -> str:
    """`word` with Hangul syllables as their letters, so that one slip is not a whole wrong character."""
    return unicodedata.normalize("NFD", word)


def read(file: Path) -> Recipe:
    """The recipe in `file`; raises RecipeError."""
    source = _source(file)
    try:
        values = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(found[1]) if found and found[1] else _last_line(source)
        says = re.sub(r" \(at .*\)$", "", str(error))
        raise RecipeError([Problem(file, line, f"this is not TOML: {says}.")]) from error
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError([_problem(file, source, dict(each)) for each in error.errors()]) from error
    problems = []
    if recipe.name != file.stem:
        says = f"`name` is '{recipe.name}', and the file is named for '{file.stem}'."
        problems.append(Problem(file, line_of(source, ("name",)), says))
    for word in (recipe.name, *recipe.aliases):
        if key(word) in RESERVED:
            where = "name" if word == recipe.name else "aliases"
            problems.append(Problem(file, line_of(source, (where,)), f"'{word}' is a command of its own."))
    if problems:
        raise RecipeError(problems)
    return recipe


def _source(file: Path) -> str:
    raw = b""
    try:
        raw = file.read_bytes()
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RecipeError([Problem(file, line, "this is not UTF-8 text.")]) from error
    except OSError as error:
        raise RecipeError([Problem(file, 1, f"it cannot be read: {error.strerror}.")]) from error


def _problem(file: Path, source: str, error: dict[str, Any]) -> Problem:
    path = tuple(str(part) for part in error["loc"] if isinstance(part, str))
    says = str(error["msg"])
    if error["type"] == "value_error" and not path:
        name, _, says = says.removeprefix("Value error, ").partition(": ")
        path = (name,)
        says = f"`{name}` {says}."
    elif error["type"] == "missing":
        says = f"`{'.'.join(path)}` is missing."
    elif error["type"] == "extra_forbidden":
        says = f"`{'.'.join(path)}` is not a key of a recipe."
    else:
        says = f"`{'.'.join(path)}` is wrong: {says[:1].lower()}{says[1:]}."
    return Problem(file, line_of(source, path), says)


def line_of(source: str, path: tuple[str, ...]) -> int:
    """The line (from 1) where the key `path` of a TOML text is set; where it is missing, the line of
    its table; where that is missing too, the last line.
    """
    table: tuple[str, ...] = ()
    quote, parent = "", _last_line(source)
    for number, line in enumerate(source.split("\n"), 1):
        if quote:
            quote = "" if quote in line else quote
            continue
        if header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            table = tuple(header[1].split("."))
            parent = number if table == path[:-1] else parent
        elif setting := re.match(r"\s*([\w.\"'-]+)\s*=(.*)", line):
            here = (*table, *re.sub(r"[\"']", "", setting[1]).split("."))
            if here == path[: len(here)] and (here == path or setting[2].lstrip().startswith("{")):
                return number
            quote = next((q for q in ('"""', "'''") if setting[2].count(q) == 1), "")
        if table == path and path:
            return number
    return parent


def _last_line(source: str) -> int:
    return max(1, len(source.rstrip("\n").split("\n")))
