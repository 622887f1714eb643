"""Files that came by HTTP: kept from the acknowledgement until their job needs them no more."""

from collections.abc import Sequence

from sqlalchemy import delete as delete_rows
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.models import Upload, table

_KEEP = insert(table(Upload))


def keep(session: Session, job_id: str, files: Sequence[tuple[str, bytes]]) -> None:
    """Store files, each (name, content), in their order."""
    if files:
        session.execute(
            _KEEP,
            [
                {"job_id": job_id, "ordinal": ordinal, "name": name, "content": content}
                for ordinal, (name, content) in enumerate(files)
            ],
        )


def names(session: Session, job_id: str) -> list[tuple[int, str]]:
    """The ids and names of a job's files, in order."""
    mine = select(Upload.id, Upload.name).where(Upload.job_id == job_id).order_by(Upload.ordinal)
    return [(upload_id, name) for upload_id, name in session.execute(mine)]


def content(session: Session, upload_id: int) -> bytes | None:
    """The bytes of one file; None: its job has ended."""
    return session.scalar(select(Upload.content).where(Upload.id == upload_id))


def delete(session: Session, job_id: str) -> None:
    """Forget a job's files."""
    session.execute(delete_rows(Upload).where(Upload.job_id == job_id))
