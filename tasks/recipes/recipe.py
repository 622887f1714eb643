"""What a recipe file may say, and its errors told by file and line."""

import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator, SchemaError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tasks import tomlfile
from tasks.tomlfile import Problem, line_of

RESERVED = frozenset({"help", "status", "cancel", "admin", "stop", "도움말", "상태", "취소", "관리", "그만"})
"""Words that `/analyze` takes for itself (DESIGN, section 8), and those that stop a request."""

COMMAND = "/analyze"
"""What examples are written with."""

_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Line = Annotated[_Words, StringConstraints(pattern=r"^[^\n]+$", max_length=150)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=32)]
Alias = Annotated[str, StringConstraints(pattern=r"^[\w-]+$", max_length=32)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Bilingual(_Strict):
    """One line for people, in both languages."""

    en: Line
    ko: Line

    def of(self, language: str) -> str:
        """The line in that language."""
        return self.ko if language == "ko" else self.en


class Recipe(_Strict):
    """One analysis that people can ask for; a file of this folder. Limits are in tokens."""

    name: Name
    aliases: list[Alias] = []
    default: bool = False
    """Used when the person names no recipe; exactly one recipe has it."""
    needs_question: bool = False
    """The text comes with a question (`command.split_request` finds it)."""
    takes_language: bool = False
    """The person may name a language to answer in (`command.split_request` finds it)."""
    takes_names: Literal["labels", "fields"] | None = None
    """The request begins with names that the person gives, to choose from or to fill in; they stand in the
    `form` where it says `$names`."""
    parts: Literal["reduce", "concat"] = "reduce"
    """How the answers for the parts of a long text become one: by further calls, or one after another
    as they are, for answers as long as the text itself, such as a translation."""
    each: Literal["line", "row"] | None = None
    """One answer for each row of a table and each of several files, many to a call; with "line" also for each
    line of a text alone, which else gets one answer as a whole."""
    max_items: Annotated[int, Field(ge=1)] = 5000
    """More rows are turned down, with both numbers."""
    item_tokens: Annotated[int, Field(ge=8)] = 60
    """What one item's answer takes: so many fit one call."""
    passages: bool = False
    """A text too long for one call is searched for the passages that bear on the question, and these alone
    are read, if any does; else it is read in parts."""
    max_calls: Annotated[int, Field(ge=1)] = 40
    """A plan of more calls waits until its person confirms it."""
    form: dict[str, Any] | None = None
    """The JSON schema of an answer, or of one item's answer (tasks.recipes.form)."""
    chart: str | None = None
    """The property of items whose values are counted in a chart."""
    max_answer_tokens: Annotated[int, Field(ge=16, le=32_768)]
    max_input_tokens: Annotated[int, Field(ge=256)]
    """A longer text is turned down, with both numbers."""
    overlap: Annotated[int, Field(ge=0, le=1024)] = 0
    """Tokens of a part of a long text that the next part begins with, so that nothing is read without what
    stands before it; of no use where answers are put one after another."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.2
    instructions: _Words
    map_instructions: _Words | None = None
    reduce_instructions: _Words | None = None
    purpose: Bilingual
    example: Bilingual
    """Begins with `/analyze`, whatever the command is called where it is shown."""

    def example_of(self, language: str, command: str) -> str:
        """The example as people write it where the slash command is `command`."""
        line = self.example.of(language)
        return command + line.removeprefix(COMMAND) if line.startswith(f"{COMMAND} ") else line

    def called(self, language: str) -> str:
        """What to call it when speaking with somebody: in Korean its first Korean alias, else its name."""
        korean = (alias for alias in self.aliases if re.search("[가-힣]", alias))
        return next(korean, self.name) if language == "ko" else self.name

    @model_validator(mode="after")
    def _reduces_or_not(self) -> "Recipe":
        # Each message starts with the key, so that its line can be found.
        if (self.each != "line") != (self.map_instructions is not None):
            wants = "of no use with each = 'line'" if self.each == "line" else "missing"
            raise ValueError(f"map_instructions: is {wants}")
        joins = self.parts == "reduce" and self.each != "line"
        if joins != (self.reduce_instructions is not None):
            how = f"parts = '{self.parts}'" if self.each != "line" else "each = 'line'"
            raise ValueError(f"reduce_instructions: is {'missing' if joins else 'of no use'} with {how}")
        return self

    @model_validator(mode="after")
    def _has_its_form(self) -> "Recipe":
        if self.form is None:
            for key_, needs in (
                ("each", self.each),
                ("chart", self.chart),
                ("takes_names", self.takes_names),
            ):
                if needs is not None:
                    raise ValueError(f"{key_}: needs a [form]")
        elif self.parts == "concat":
            raise ValueError("parts: 'concat' joins texts, and a [form] is none")
        else:
            try:
                Draft202012Validator.check_schema(self.form)
            except SchemaError as error:
                raise ValueError(f"form: is no JSON schema: {error.message}") from None
            properties = self.form.get("properties")
            if self.form.get("type") != "object" or not properties:
                raise ValueError("form: must be an object with properties")
            if self.chart is not None and self.chart not in properties:
                raise ValueError(f"chart: names '{self.chart}', which is no property of the form")
        if self.passages and not self.needs_question:
            raise ValueError("passages: needs needs_question = true")
        if self.parts == "concat" and self.overlap:
            raise ValueError("overlap: would say things twice with parts = 'concat'")
        return self


class RecipeError(tomlfile.Broken):
    """Recipe files are broken; `problems` tells all of them, and str() one on each line."""


def key(word: str) -> str:
    """How names are compared: case, Unicode form, hyphens and underscores do not count."""
    return re.sub(r"[-_]", "", unicodedata.normalize("NFC", word).casefold())


def letters(word: str) -> str:
    """`word` with Hangul syllables as their letters, so that one slip is not a whole wrong character."""
    return unicodedata.normalize("NFD", word)


def read(file: Path) -> Recipe:
    """The recipe in `file`; raises RecipeError."""
    try:
        source, values = tomlfile.read(file)
    except tomlfile.Broken as error:
        raise RecipeError([*error.problems]) from error
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(tomlfile.problems(file, source, error, "a recipe")) from error
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
