"""What a file is, by its content; its name decides only between kinds of text. Content wins over a name that lies."""

import re
import zipfile
from pathlib import Path

from tasks.prepare.extract import decode
from tasks.prepare.extract.problem import Problem

_HEAD = 8192
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,10})$")
_WEBPAGE = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_MAIL = re.compile(rb"^(?:[A-Za-z-]{2,40}:[^\n]*\n(?:[ \t][^\n]*\n)*){3,}")

_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

# The names of streams by which formats of before 2007 are known, and the format to save them in.
_OLE_KINDS = (
    ("EncryptedPackage", "encrypted", ""),
    ("WordDocument", "old_format", "docx"),
    ("PowerPoint Document", "old_format", "pptx"),
    ("HwpSummaryInformation", "old_format", "hwpx"),
)
_ZIP_KINDS = (
    ("word/document.xml", "docx"),
    ("ppt/presentation.xml", "pptx"),
    ("xl/workbook.xml", "xlsx"),
    ("xl/workbook.bin", "xlsb"),
    ("Contents/section0.xml", "hwpx"),
)
_ODS = b"application/vnd.oasis.opendocument.spreadsheet"

SHEETS = frozenset({"xlsx", "xls", "xlsb", "ods"})
IMAGES = frozenset({"png", "jpg", "gif", "tiff", "webp", "bmp"})
# A fax has pages, and is read.
SEEN = IMAGES - {"tiff"}


def ending(name: str) -> str:
    """The ending of a name in small letters, without its dot; "" if there is none."""
    found = _ENDING.search(name.strip())
    return found[1].lower() if found else ""


def of(path: Path, name: str, hint: str = "") -> str:
    """The kind of a file: `zip`, or what a document's `kind` says. `hint` is an ending for names that have none.

    Raises Problem for what is empty, encrypted, or of no kind that can be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip(b"\x00 \t\r\n"):
        raise Problem("empty")
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    if head.startswith(_OLE):
        return _ole(path)
    if (image := _image(head)) is not None:
        return image
    if head.startswith(b"{\\rtf"):
        raise Problem("old_format", better="docx")
    if not decode.is_text(head):
        raise Problem("unsupported")
    return _text(head, ending(name) or hint)


def _text(head: bytes, said: str) -> str:
    if said in {"html", "htm", "xhtml"} or (_WEBPAGE.match(head) and said not in {"md", "txt"}):
        return "html"
    # Lines that look like a mail's head stand in other texts too, so here a name is needed.
    if said == "eml" or (said in {"", "mht"} and _MAIL.match(head)):
        return "eml"
    return said if said and said.isascii() else "txt"


def _image(head: bytes) -> str | None:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"BM") and head[6:10] == b"\x00\x00\x00\x00":
        return "bmp"
    return next((kind for magic, kind in _IMAGES if head.startswith(magic)), None)


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            mimetype = _mimetype(archive) if "mimetype" in names else b""
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError) as error:
        raise Problem("broken") from error
    if mimetype == _ODS:
        return "ods"
    if mimetype.startswith(b"application/vnd.oasis.opendocument"):
        raise Problem("old_format", better="docx, pptx, pdf")
    return next((kind for part, kind in _ZIP_KINDS if part in names), "zip")


def _mimetype(archive: zipfile.ZipFile) -> bytes:
    with archive.open("mimetype") as part:
        return part.read(200).strip()


def _ole(path: Path) -> str:
    data = path.read_bytes()
    for stream, code, better in _OLE_KINDS:
        if stream.encode("utf-16-le") in data:
            raise Problem(code, better=better) if better else Problem(code)
    if any(name.encode("utf-16-le") in data for name in ("Workbook", "Book")):
        return "xls"
    raise Problem("unsupported")
