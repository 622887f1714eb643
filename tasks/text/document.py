"""What people send, as preparing sees it: documents of sections that can be cited, and tables that stay tables."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A stretch of a document; `page`, or `sheet` and `row`, say where it stands, counted from 1 as people count."""

    text: str
    page: int | None = None
    sheet: str | None = None
    row: int | None = None


@dataclass(frozen=True)
class Table:
    """The cells of a CSV file or of one sheet, as text: what per-row recipes work on and give back."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    sheet: str | None = None


@dataclass(frozen=True)
class Picture:
    """A picture for a model that sees: a `data:` URL, and its size in pixels."""

    url: str
    width: int
    height: int

    @property
    def tokens(self) -> int:
        """What it takes of a prompt, by an estimate: one token for each 28 by 28 pixels, as Qwen2.5-VL counts.

        https://github.com/QwenLM/Qwen2.5-VL (patches of 14 pixels, merged two by two), and 16 for the marks around it.
        """
        return -(-self.width // 28) * -(-self.height // 28) + 16


@dataclass(frozen=True)
class Document:
    """One input of a request. `name` is a file's, "" for what stood in the message itself.

    `kind` is the ending that names its format (pdf, docx, csv ...), or `text`, or `thread`. `notes` are keys of the
    catalogue (`note.<key>`) for what its person should know, such as macros that were left out.
    """

    name: str
    kind: str
    sections: Sequence[Section]
    tables: Sequence[Table] = ()
    pages: int | None = None
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()

    @property
    def text(self) -> str:
        """All sections, with a blank line between them."""
        return "\n\n".join(section.text for section in self.sections)


def bare(text: str, kind: str = "text") -> Document:
    """A text that came without a file."""
    return Document("", kind, [Section(text)])
