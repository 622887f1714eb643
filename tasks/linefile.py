"""The model servers and the fairness of the line, from the file that LINE_FILE names or from the LLM_* settings."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import dotenv
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from db.turns import Rank
from tasks import tomlfile
from tasks.settings import Settings, auto_or_number, base_url
from tasks.tomlfile import Problem

MAIN = "main"
"""The one server's name when the LLM_* settings describe it."""

_PRIORITIES = {"urgent": 0, "normal": 1, "batch": 2}
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class Server:
    """One model server."""

    name: str
    url: str
    api_key: str = field(repr=False)
    model: str
    limit: int | None
    """The most calls in flight; None: learned."""
    context: int
    """In tokens."""
    recipes: frozenset[str] | None
    """Those that it serves; None: all."""
    embeddings: str = ""
    """The model behind its `/embeddings`; "": it has none."""
    vision: bool = False
    """Whether its model sees pictures."""

    def serves(self, recipe: str) -> bool:
        """Whether calls of that recipe may go to it."""
        return self.recipes is None or recipe in self.recipes


@dataclass(frozen=True)
class Line:
    """All servers, in order of preference, what a token of input and of output costs, and who is who."""

    servers: tuple[Server, ...]
    input_weight: float
    output_weight: float
    people: Mapping[str, Rank]

    @property
    def names(self) -> list[str]:
        """Of all servers."""
        return [server.name for server in self.servers]

    def server(self, name: str) -> Server | None:
        """The server of that name."""
        return next((server for server in self.servers if server.name == name), None)

    def serving(self, recipe: str) -> list[Server]:
        """The servers for that recipe, in order of preference."""
        return [server for server in self.servers if server.serves(recipe)]

    def rank(self, requester: str) -> Rank:
        """The rank of a Slack user id or of an API token's name."""
        return self.people.get(requester, Rank())


class BadLine(Exception):
    """The file has mistakes; `errors` tells each as `path:line: reason`, and str() one on each line."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = errors
        super().__init__("\n".join(errors))


def load(
    settings: Settings, recipes: Collection[str], environment: Mapping[str, str | None] | None = None
) -> Line:
    """The line as the settings have it; `recipes` are the names of all, `environment` is by default the
    process's own over that of `.env`.

    Raises BadLine, which tells every mistake in the file.
    """
    if not settings.line_file:
        return Line((_main(settings),), _Tokens().input, _Tokens().output, {})
    try:
        return _read(
            Path(settings.line_file), recipes, _environment() if environment is None else environment
        )
    except tomlfile.Broken as error:
        raise BadLine(
            [f"{problem.file}:{problem.line}: {problem.says}" for problem in error.problems]
        ) from error


def _main(settings: Settings) -> Server:
    return Server(
        name=MAIN,
        url=settings.llm_url,
        api_key=settings.llm_api_key.get_secret_value(),
        model=settings.llm_model,
        limit=_limit(settings.llm_limit),
        context=settings.llm_context,
        recipes=None,
        embeddings=settings.llm_embeddings,
        vision=settings.llm_vision,
    )


def _limit(said: Literal["auto"] | int) -> int | None:
    return None if said == "auto" else said


def _environment() -> Mapping[str, str | None]:
    # As with the settings: nothing counts as not set, and the environment wins.
    return {**dotenv.dotenv_values(".env"), **{name: value for name, value in os.environ.items() if value}}


# What the file may say


@dataclass(frozen=True)
class _Around:
    """What a file is checked against."""

    recipes: Collection[str]
    environment: Mapping[str, str | None]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _around(info: ValidationInfo) -> _Around:
    assert isinstance(info.context, _Around)
    return info.context


def _known(name: str, info: ValidationInfo) -> str:
    recipes = _around(info).recipes
    if name not in recipes:
        raise ValueError(f"names '{name}'; the recipes are {', '.join(sorted(recipes))}")
    return name


def _named_once(names: list[str]) -> list[str]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"names '{twice}' twice")
    return names


def _key(said: str, info: ValidationInfo) -> str:
    if not said.startswith("$"):
        return said
    variable = _VARIABLE.fullmatch(said)
    if not variable:
        raise ValueError("must be a key, or $NAME to take it from the environment")
    key = _around(info).environment.get(variable[1])
    if not key:
        raise ValueError(f"takes {variable[1]} from the environment, where it is not set")
    return key


_Weight = Annotated[float, Field(gt=0, le=100)]


class _Backend(_Strict):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    url: Annotated[str, AfterValidator(base_url)]
    model: Annotated[str, Field(min_length=1)]
    api_key: Annotated[str, AfterValidator(_key)] = ""
    limit: Annotated[Literal["auto"] | int, BeforeValidator(auto_or_number)] = "auto"
    context: Annotated[int, Field(ge=1024)] = 8192
    embeddings: str = ""
    vision: bool = False
    recipes: (
        Annotated[
            list[Annotated[str, AfterValidator(_known)]], Field(min_length=1), AfterValidator(_named_once)
        ]
        | None
    ) = None

    def server(self) -> Server:
        return Server(
            name=self.name,
            url=self.url,
            api_key=self.api_key,
            model=self.model,
            limit=_limit(self.limit),
            context=self.context,
            recipes=None if self.recipes is None else frozenset(self.recipes),
            embeddings=self.embeddings,
            vision=self.vision,
        )


class _Tokens(_Strict):
    input: _Weight = 1.0
    output: _Weight = 2.0


class _Person(_Strict):
    weight: _Weight = 1.0
    priority: Literal["urgent", "normal", "batch"] = "normal"


class _File(_Strict):
    backends: Annotated[list[_Backend], Field(min_length=1)]
    tokens: _Tokens = _Tokens()
    people: dict[str, _Person] = {}


def _read(file: Path, recipes: Collection[str], environment: Mapping[str, str | None]) -> Line:
    source, values = tomlfile.read(file)
    problems = [
        Problem(
            file,
            tomlfile.line_of(source, ("backends", number, "name")),
            f"`backends.name` is '{name}' a second time.",
        )
        for number, name in _second_names(values.get("backends"))
    ]
    try:
        said = _File.model_validate(values, context=_Around(recipes, environment))
    except ValidationError as error:
        raise tomlfile.Broken([*problems, *tomlfile.problems(file, source, error, "this file")]) from error
    line = Line(
        tuple(backend.server() for backend in said.backends),
        said.tokens.input,
        said.tokens.output,
        {name: Rank(person.weight, _PRIORITIES[person.priority]) for name, person in said.people.items()},
    )
    where = tomlfile.line_of(source, ("backends",))
    problems += [
        Problem(file, where, f"no backend serves the recipe '{recipe}'.")
        for recipe in recipes
        if not line.serving(recipe)
    ]
    if problems:
        raise tomlfile.Broken(problems)
    return line


def _second_names(backends: object) -> Iterator[tuple[int, str]]:
    """Each backend that has an earlier one's name, whatever else is wrong: its number and the name."""
    seen: set[str] = set()
    for number, backend in enumerate(backends if isinstance(backends, list) else []):
        name = backend.get("name") if isinstance(backend, dict) else None
        if isinstance(name, str):
            if name in seen:
                yield number, name
            seen.add(name)
