"""Documents between the child and its parent: a JSON line for each section and row, so that neither holds it twice."""

import json
from collections.abc import Iterator
from typing import Any, TextIO

from tasks.prepare.extract.problem import Problem
from tasks.text.document import Document, Picture, Section, Table


def write(out: TextIO, found: Document) -> None:
    """Write a document."""
    about = {"name": found.name, "kind": found.kind, "pages": found.pages, "notes": list(found.notes)}
    _line(out, "document", about)
    for section in found.sections:
        _line(out, "section", [section.text, section.page, section.sheet, section.row])
    for table in found.tables:
        _line(out, "table", [list(table.header), table.sheet])
        for row in table.rows:
            _line(out, "row", list(row))
    for picture in found.pictures:
        _line(out, "picture", [picture.url, picture.width, picture.height])
    _line(out, "end", None)


def write_members(out: TextIO, members: list[tuple[str, str]]) -> None:
    """Write what an archive was unpacked to: (name in the archive, file)."""
    _line(out, "members", members)
    _line(out, "end", None)


def write_problem(out: TextIO, problem: Problem) -> None:
    """Write why there is no document."""
    _line(out, "problem", [problem.code, problem.params])
    _line(out, "end", None)


def read(lines: TextIO) -> Document | list[tuple[str, str]]:
    """What was written: a document, or the members of an archive. Raises Problem, and EOFError if there is no end."""
    about: dict[str, Any] = {}
    sections: list[Section] = []
    tables: list[tuple[list[str], list[list[str]], str | None]] = []
    members: list[tuple[str, str]] | None = None
    pictures: list[Picture] = []
    for kind, value in _lines(lines):
        match kind:
            case "problem":
                raise Problem(value[0], **value[1])
            case "members":
                members = [(name, file) for name, file in value]
            case "document":
                about = value
            case "section":
                sections.append(Section(*value))
            case "table":
                tables.append((value[0], [], value[1]))
            case "row":
                tables[-1][1].append(value)
            case "picture":
                pictures.append(Picture(*value))
    if members is not None:
        return members
    made = [Table(*table) for table in tables]
    return Document(**about, sections=sections, tables=made, pictures=pictures)


def _line(out: TextIO, kind: str, value: object) -> None:
    out.write(json.dumps([kind, value], ensure_ascii=False, separators=(",", ":")) + "\n")


def _lines(lines: TextIO) -> Iterator[tuple[str, Any]]:
    for line in lines:
        if not line.endswith("\n"):
            break
        kind, value = json.loads(line)
        if kind == "end":
            return
        yield kind, value
    raise EOFError
