"""The values behind a job's placeholders, encrypted in its row, and put back where its own people read.

Only what can read the row and knows the secret opens them, and only for the job that they were sealed for: the key
is made of both (HKDF, RFC 5869; Fernet: AES-128-CBC with HMAC-SHA-256).
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import structlog

from tasks.text import markup, placeholders

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

    from db.models import Job
    from tasks.settings import Settings

log = structlog.get_logger()


def seal(settings: Settings, job_id: str, originals: placeholders.Originals) -> str | None:
    """What to keep in the job's row; None where nothing was hidden."""
    if not originals:
        return None
    content = json.dumps(dict(originals), ensure_ascii=False).encode()
    return _box(settings, job_id).encrypt(content).decode()


def opened(settings: Settings, job: Job) -> placeholders.Originals:
    """The job's values by their placeholders; none when they are gone, or no secret that is left opens them."""
    if not job.originals:
        return {}
    from cryptography.fernet import InvalidToken

    try:
        found: dict[str, str] = json.loads(_box(settings, job.id).decrypt(job.originals.encode()))
    except InvalidToken:
        # The answer is worth reading without them, and a new secret does not come back.
        log.warning("originals.unreadable", job_id=job.id)
        return {}
    return found


def answer(settings: Settings, job: Job) -> str | None:
    """The job's result with the values in it, for whoever asked."""
    return job.result and placeholders.restore(job.result, opened(settings, job))


def answer_in_markdown(settings: Settings, job: Job) -> str | None:
    """The same, for a reader of Markdown: no sign in a value reads as a style."""
    return job.result and markup.restore(job.result, opened(settings, job))


def are_gone(settings: Settings, job: Job) -> bool:
    """Whether the result can only be shown with placeholders: its values are erased, or no secret opens them."""
    return bool(job.result) and placeholders.are_in(job.result or "") and not opened(settings, job)


def _box(settings: Settings, job_id: str) -> MultiFernet:
    """Encrypts with the first secret, decrypts with any, so that a secret can be replaced."""
    # Here, and not above: few jobs of a process need it, and it takes 10 MB.
    from cryptography.fernet import Fernet, MultiFernet
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    def key(secret: str) -> Fernet:
        info = f"threadline originals {job_id}".encode()
        made = HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(secret.encode())
        return Fernet(base64.urlsafe_b64encode(made))

    given = settings.redaction_keys.get_secret_value() or settings.slack_bot_token.get_secret_value()
    return MultiFernet([key(secret.strip()) for secret in given.split(",") if secret.strip()])
