"""PDFs: a section a page. Pages that are pictures of text go through text recognition, where it is installed."""

from collections.abc import Iterator
from pathlib import Path

import pypdfium2
from pypdfium2 import raw

from tasks.prepare.extract import gaps, limits, ocr
from tasks.prepare.extract.problem import Problem, over
from tasks.text.document import Document, Section

# A scan may carry a stamp or a page number in letters.
_FEW_LETTERS = 16
_POINTS_PER_INCH = 72


def read(path: Path, name: str, kind: str) -> Document:
    """The pages with text on them, by their numbers."""
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise Problem("encrypted" if "password" in str(error).lower() else "broken") from error
    with pdf:
        if len(pdf) > limits.PAGES:
            raise over("pages", len(pdf), limits.PAGES)
        texts, scans = _pages(pdf)
        notes = _recognise(pdf, texts, scans) if scans else []
        sections = [Section(text, page=number) for number, text in enumerate(texts, 1) if text.strip()]
        return Document(name, kind, sections, pages=len(pdf), notes=notes)


def _pages(pdf: pypdfium2.PdfDocument) -> tuple[list[str], list[int]]:
    """The text of each page, and which pages are but pictures."""
    texts, scans = [], []
    for index in range(len(pdf)):
        try:
            page = pdf[index]
        except pypdfium2.PdfiumError:  # One damaged page is no reason to lose the others.
            texts.append("")
            continue
        text_page = page.get_textpage()
        text = gaps.filled(text_page) or text_page.get_text_bounded().replace("\r\n", "\n")
        if len(text.strip()) < _FEW_LETTERS and _has_image(page):
            scans.append(index)
        texts.append(text)
        text_page.close()
        page.close()
    return texts, scans


def _has_image(page: pypdfium2.PdfPage) -> bool:
    return next(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3), None) is not None


def _recognise(pdf: pypdfium2.PdfDocument, texts: list[str], scans: list[int]) -> list[str]:
    """Put what is read from the scans into `texts`. Returns the note about it."""
    languages = ocr.languages()
    if not languages:
        if any(text.strip() for text in texts):
            return ["scans_left_out"]
        raise Problem("no_ocr")
    if len(scans) > limits.SCANNED_PAGES:
        raise over("scanned", len(scans), limits.SCANNED_PAGES)
    for index, picture in zip(scans, _pictures(pdf, scans), strict=True):
        texts[index] = ocr.read(picture, languages) or texts[index]
    return ["recognised"]


def _pictures(pdf: pypdfium2.PdfDocument, scans: list[int]) -> Iterator[bytes]:
    for index in scans:
        page = pdf[index]
        width, height = page.get_size()
        scale = min(ocr.DPI / _POINTS_PER_INCH, (ocr.PIXELS / max(1.0, width * height)) ** 0.5)
        picture = page.render(scale=scale, grayscale=True).to_pil()
        yield ocr.as_pnm(picture)
        page.close()
