"""Finding the passages of a long text that bear on a question."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from db import passages as kept
from db import session
from db.models import Job, Passage
from tasks import embedding, lexical, passages
from tasks.linefile import Server
from tasks.resources import Resources
from tasks.text.document import Document

log = structlog.get_logger()


@dataclass(frozen=True)
class Found:
    """All passages as rows, of which those that were chosen bear their numbers, and these as the model reads them."""

    rows: Sequence[Passage]
    text: str
    chosen: int


def find(
    resources: Resources, job: Job, server: Server, documents: Sequence[Document], question: str, room: int
) -> Found | None:
    """The best passages within `room` tokens; None if none bears on the question, such as one about the whole."""
    cut = passages.cut(documents)
    name, vectors, near = _meaning(resources, job, server, cut, question)
    chosen = passages.choose(cut, passages.rank(question, cut, near), room)
    if not chosen:
        return None
    numbers = {at: number for number, at in enumerate(chosen, 1)}
    rows = [
        Passage(
            job_id=job.id,
            ordinal=at,
            name=each.name[-255:],
            page=each.page,
            sheet=each.sheet,
            row=each.row,
            text=each.text,
            number=numbers.get(at),
            model=name,
            digest=_digest(each.text),
            vector=vectors[at],
        )
        for at, each in enumerate(cut)
    ]
    return Found(rows, passages.numbered([cut[at] for at in chosen]), len(chosen))


def _meaning(
    resources: Resources, job: Job, server: Server, cut: Sequence[passages.Passage], question: str
) -> tuple[str, list[bytes], list[float] | None]:
    """What made the vectors, a vector for each passage, and how near each is to the question in meaning."""
    model = embedding.of(server, resources.http)
    if model is not None:
        try:
            vectors = _vectors(resources, job, model, [each.text for each in cut])
            [asked] = model.vectors([question])
        except embedding.Unavailable as error:
            # An answer found by its words is better than none.
            log.warning("embedding.unavailable", backend=server.name, error=str(error))
        else:
            return model.name, vectors, embedding.nearness(asked, vectors)
    return lexical.MODEL, [lexical.vector(each.text) for each in cut], None


def _vectors(resources: Resources, job: Job, model: embedding.Model, texts: Sequence[str]) -> list[bytes]:
    """The texts' vectors; those that were made for this team before, as for a Retry, are not made again."""
    digests = {_digest(text): text for text in texts}
    with session.reading(resources.engine) as reading:
        known = kept.vectors(reading, job.team, model.name, digests.keys())
    missing = [digest for digest in digests if digest not in known]
    if missing:
        made = model.vectors([digests[digest] for digest in missing])
        known |= dict(zip(missing, made, strict=True))
    return [known[_digest(text)] for text in texts]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
