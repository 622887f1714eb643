"""E-mails that were saved as files: who, when, about what, and what they say."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

from tasks.prepare.extract import webpage
from tasks.prepare.extract.problem import Problem
from tasks.text.document import Document, Section

_HEAD = ("From", "To", "Cc", "Date", "Subject")


def read(path: Path, name: str, kind: str) -> Document:
    """The head, the text, and the names of what is attached."""
    try:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        parts = [_head(message), _body(message), *_attached(message)]
    except (LookupError, ValueError, TypeError, AttributeError, IndexError) as error:  # What bad mails raise.
        raise Problem("broken") from error
    notes = ["attachments"] if len(parts) > 2 else []
    return Document(name, kind, [Section("\n\n".join(filter(None, parts)))], notes=notes)


def _head(message: EmailMessage) -> str:
    return "\n".join(f"{key}: {message[key]}" for key in _HEAD if message[key])


def _body(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    text = str(part.get_content())
    return webpage.text(text) if part.get_content_subtype() == "html" else text


def _attached(message: EmailMessage) -> list[str]:
    names = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    return [f"Attachments: {', '.join(names)}"] if names else []
