"""TOML files that people write: read, and every mistake told by file and line."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

Key = tuple[str | int, ...]
"""Where a value stands, as Pydantic says it: table and key names, and numbers (from 0) for the tables of a
`[[list]]` and the items of an array."""

_WORD = r"(?:[\w-]+|\"[^\"]*\"|'[^']*')"
_DOTTED = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_SETTING = re.compile(rf"\s*({_DOTTED})\s*=(.*)")


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, in one sentence, and where."""

    file: Path
    line: int
    says: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.says}"


class Broken(Exception):
    """Files have mistakes; `problems` tells all of them, and str() one on each line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


def read(file: Path) -> tuple[str, dict[str, Any]]:
    """The text of `file`, and what it sets; raises Broken."""
    source = _source(file)
    try:
        return source, tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(found[1]) if found and found[1] else _last_line(source)
        says = re.sub(r" \(at .*\)$", "", str(error))
        raise Broken([Problem(file, line, f"this is not TOML: {says}.")]) from error


def problems(file: Path, source: str, error: ValidationError, thing: str) -> list[Problem]:
    """Each mistake that Pydantic found in `source`; `thing` is what the file describes ("a recipe")."""
    return [_problem(file, source, dict(each), thing) for each in error.errors()]


def line_of(source: str, path: Key) -> int:
    """The line (from 1) where the key `path` of a TOML text is set; where it is missing, the line of
    its table; where that is missing too, the last line.
    """
    table: Key = ()
    lists: dict[Key, int] = {}
    quote, parent = "", _last_line(source)
    for number, line in enumerate(source.split("\n"), 1):
        if quote:
            quote = "" if quote in line else quote
            continue
        if header := _HEADER.match(line):
            table = _table(_words(header[2]), header[1] == "[[", lists)
            parent = number if table == path[:-1] else parent
        elif setting := _SETTING.match(line):
            here = (*table, *_words(setting[1]))
            if here == path[: len(here)]:
                return number
            quote = next((q for q in ('"""', "'''") if setting[2].count(q) == 1), "")
        if path and table[: len(path)] == path:
            return number
    return parent


def _table(words: list[str], is_list: bool, lists: dict[Key, int]) -> Key:
    """The table that a header opens; `lists` counts the tables of each `[[list]]` so far."""
    table: Key = ()
    for word in words[:-1]:
        table = (*table, word)
        # A header below a list's name goes on with its latest table.
        table = (*table, lists[table]) if table in lists else table
    table = (*table, words[-1])
    if not is_list:
        return table
    lists[table] = lists.get(table, -1) + 1
    return (*table, lists[table])


def _words(dotted: str) -> list[str]:
    return [word.strip("\"'") for word in re.findall(_WORD, dotted)]


def _source(file: Path) -> str:
    raw = b""
    try:
        raw = file.read_bytes()
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Broken([Problem(file, line, "this is not UTF-8 text.")]) from error
    except OSError as error:
        raise Broken([Problem(file, 1, f"it cannot be read: {error.strerror}.")]) from error


def _problem(file: Path, source: str, error: dict[str, Any], thing: str) -> Problem:
    path: Key = tuple(error["loc"])
    says = str(error["msg"])
    name = ".".join(part for part in path if isinstance(part, str))
    if error["type"] == "value_error":
        says = says.removeprefix("Value error, ")
        if not path:
            # A rule over several keys starts with the one to blame, so that its line can be found.
            name, _, says = says.partition(": ")
            path = (name,)
        says = f"`{name}` {says}."
    elif error["type"] == "missing":
        says = f"`{name}` is missing."
    elif error["type"] == "extra_forbidden":
        says = f"`{name}` is not a key of {thing}."
    elif error["type"] == "model_type":
        says = f"`{name}` is wrong: input should be a table."
    else:
        says = f"`{name}` is wrong: {says[:1].lower()}{says[1:]}."
    return Problem(file, line_of(source, path), says)


def _last_line(source: str) -> int:
    return max(1, len(source.rstrip("\n").split("\n")))
