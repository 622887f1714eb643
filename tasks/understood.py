"""What was understood of what somebody sent, as rows on the job and as lines for people."""

from collections.abc import Callable, Sequence
from typing import Any

from db.models import Job
from tasks.catalogue import say
from tasks.text import language as languages
from tasks.text.document import Document

# Lines on a card; the rest is counted.
_MOST_LINES = 8
_LONGEST_NAME = 80

Row = dict[str, Any]
Escape = Callable[[str], str]


def rows(documents: Sequence[Document], left_out: Sequence[Row], parts: int) -> list[Row]:
    """The rows for a job: each document's numbers, then what was left out.

    A short text in the message itself needs no telling: its person sees it.
    """
    told = [found for found in documents if found.kind != "text" or parts > 1]
    return [_row(found, parts if len(documents) == 1 else None) for found in told] + list(left_out)


def lines(language: str, job: Job, escape: Escape = str) -> list[str]:
    """What the card says of it, a line each."""
    found = job.understood or []
    if len(found) > _MOST_LINES:
        # What was left out is never among those that are only counted, as long as there is a line for it.
        found = sorted(found, key=lambda row: "problem" not in row)
    written = [_line(language, row, escape) for row in found[:_MOST_LINES]]
    if len(found) > _MOST_LINES:
        written.append(say(language, "understood.more", count=len(found) - _MOST_LINES))
    return written


def reason(language: str, job: Job, escape: Escape = str) -> str:
    """Why a job failed, and what to do: `error.<code>` with its places filled in; one may have a line of each language."""
    values = {
        name: escape(str(value[language] if isinstance(value, dict) else value))
        for name, value in job.error_params.items()
    }
    if job.error == "unread":
        values["problems"] = "\n".join(lines(language, job, escape))
    return say(language, f"error.{job.error}", **values)


def _row(found: Document, parts: int | None) -> Row:
    text = found.text
    return {
        "name": found.name,
        "kind": found.kind,
        "pages": found.pages,
        "rows": sum(len(table.rows) for table in found.tables) or None,
        # Of a picture that the model sees, nobody has read anything.
        "characters": None if found.pictures else len(text),
        "pictures": len(found.pictures) or None,
        "language": languages.detect(text),
        "parts": parts,
        "notes": list(found.notes),
    }


def _line(language: str, row: Row, escape: Escape) -> str:
    name = escape(row["name"][:_LONGEST_NAME]) or say(language, f"understood.{_nameless(row)}")
    if "problem" in row:
        params = {key: escape(str(value)) for key, value in row["params"].items()}
        return say(language, f"file.{row['problem']}", name=name, **params)
    counted = [
        say(language, f"understood.{key}{'_one' if row[key] == 1 else ''}", count=f"{row[key]:,}")
        for key in ("pages", "rows", "characters", "pictures")
        if row.get(key)
    ]
    # Of figures alone, or of a few names, nobody can say.
    if row["language"]:
        counted.append(say(language, f"language.{row['language']}"))
    if row["parts"] and row["parts"] > 1:
        counted.append(say(language, "understood.parts", count=f"{row['parts']:,}"))
    notes = [say(language, f"note.{key}") for key in row["notes"]]
    return " ".join([say(language, "understood.line", name=name, counted=", ".join(counted)), *notes])


def _nameless(row: Row) -> str:
    return "thread" if row.get("kind") == "thread" or "problem" in row else "text"
