"""The files of a request, Slack's and those that came by HTTP, each to a document or a sentence about why not."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from db import session, uploads
from db.models import Job
from tasks.prepare import fetch
from tasks.prepare.extract import child, picture
from tasks.prepare.extract.problem import Problem, over
from tasks.prepare.hold import Hold
from tasks.resources import Resources
from tasks.text.document import Document, Section

log = structlog.get_logger()

MOST_FILES = 20


@dataclass
class Material:
    """All that was read, and what was not: {name, problem, params} each."""

    question: str | None = None
    documents: list[Document] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    picture_room: int = 0
    """Tokens that pictures may take of a call; 0: the model sees none, and their text is recognised."""

    @property
    def sees(self) -> bool:
        """Whether the model can be shown one more picture."""
        shown = sum(each.tokens for document in self.documents for each in document.pictures)
        return shown + picture.MOST_TOKENS <= self.picture_room

    def add(self, document: Document) -> None:
        """Add what was read; where a picture belongs in the text, its mark stands."""
        if document.pictures:
            number = sum(len(each.pictures) for each in self.documents) + 1
            document = replace(document, sections=[Section(mark(number))])
        self.documents.append(document)

    def leave_out(self, name: str, problem: Problem) -> None:
        """Note that something could not be read; the rest of the request goes on."""
        log.info("input.left_out", problem=problem.code)
        self.left_out.append({"name": name, "problem": problem.code, "params": problem.params})


def mark(number: int) -> str:
    """What stands in the text for the picture of that number, from 1."""
    return f"[picture {number}]"


def read(
    resources: Resources, job: Job, files: list[dict[str, str]], folder: Path, hold: Hold, made: Material
) -> None:
    """Read all files into `made`, each once. Raises Impossible when Slack does not answer, and Lost."""
    once = list({file["id"]: file for file in files}.values())
    for file in once[:MOST_FILES]:
        try:
            fetched = fetch.fetch(resources, file, folder, hold)
            _read(fetched.path, fetched.name, fetched.hint, hold, made)
        except Problem as problem:
            made.leave_out(file["name"] or file["id"], problem)
    for file in once[MOST_FILES:]:
        made.leave_out(file["name"] or file["id"], over("too_many", len(once), MOST_FILES))
    with session.reading(resources.engine) as reading:
        kept = uploads.names(reading, job.id)
    for upload_id, name in kept:
        path = folder / f"upload-{upload_id}"
        with session.reading(resources.engine) as reading:
            path.write_bytes(uploads.content(reading, upload_id) or b"")
        try:
            _read(path, name, "", hold, made)
        except Problem as problem:
            made.leave_out(name, problem)


def _read(path: Path, name: str, hint: str, hold: Hold, made: Material) -> None:
    found = child.read(path, name, hint, hold.left(), hold.keep, seen=made.sees)
    path.unlink()
    if isinstance(found, Document):
        made.add(found)
        return
    for member, file in found:
        try:
            made.add(_member(Path(file), f"{name}/{member}", hold, made))
        except Problem as problem:
            made.leave_out(f"{name}/{member}", problem)


def _member(path: Path, name: str, hold: Hold, made: Material) -> Document:
    found = child.read(path, name, "", hold.left(), hold.keep, seen=made.sees)
    path.unlink()
    if not isinstance(found, Document):
        raise Problem("nested")
    return replace(found, name=name)
