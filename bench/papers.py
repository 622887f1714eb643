"""Documents whose every word is known, Korean and English, made by LibreOffice, Chromium and the standard library."""

import csv
import email.message
import io
import itertools
import pathlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html import escape

from tests import documents

_ARTICLES = pathlib.Path(__file__).resolve().parents[1] / "tests" / "unit" / "articles"
_SENTENCE = re.compile(r"(?<=[.?!다])[.]?\s+(?=[A-Z가-힣])")
_COLUMNS = ("번호", "이름 name", "메모 note", "금액 won", "날짜 date")
_PEOPLE = ("김민지", "박철수", "이도윤", "Ada", "Leo", "Grace")

# Of the large ones, whose speed and memory are measured.
PAGES, ROWS, SLIDES = 500, 200_000, 300

_FONTS = "font-family:'Noto Sans CJK KR';font-size:11pt"
_NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in {
        "office": "office",
        "style": "style",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "fo": "xsl-fo-compatible",
        "svg": "svg-compatible",
        "presentation": "presentation",
    }.items()
)


@dataclass(frozen=True)
class Chapter:
    """One heading with what stands under it."""

    heading: str
    paragraphs: list[list[str]]
    points: list[str]
    rows: list[list[str]]

    @property
    def sentences(self) -> list[str]:
        """Everything that it says, in the order in which it is read."""
        said = [self.heading, *itertools.chain.from_iterable(self.paragraphs), *self.points]
        return said + list(itertools.chain.from_iterable(self.rows))


@dataclass(frozen=True)
class Paper:
    """A file, and what was written in it."""

    what: str
    by: str
    name: str
    content: bytes = field(repr=False)
    sentences: list[str] = field(repr=False)


def small(folder: pathlib.Path, draw: random.Random) -> Iterator[Paper]:
    """A document, a presentation and a sheet, in every form that is read."""
    chapters = list(draft(draw, 6))
    # A slide that is too full runs over its edge, where people do not see it either.
    briefs = [replace(chapter, paragraphs=chapter.paragraphs[1:2]) for chapter in chapters]
    said, told = sentences_of(chapters), sentences_of(briefs)
    office, page = _office(folder), _page(chapters)

    def chromium(html: str) -> bytes:
        return documents.by_chromium(folder, html, "--print-to-pdf")

    rows = table_of(draw, 60)
    cells = [cell for row in rows for cell in row]
    yield Paper("document", "LibreOffice", "a.docx", office("a.fodt", _flat(chapters), "docx"), said)
    yield Paper("document", "LibreOffice", "a.pdf", office("b.fodt", _flat(chapters), "pdf"), said)
    two = office("c.fodt", _flat(chapters, columns=2), "pdf")
    yield Paper("document in two columns", "LibreOffice", "a.pdf", two, said)
    yield Paper("slides", "LibreOffice", "a.pptx", office("d.fodp", _slides(briefs), "pptx"), told)
    yield Paper("slides", "LibreOffice", "a.pdf", office("e.fodp", _slides(briefs), "pdf"), told)
    sheet = "--infilter=CSV:44,34,76,1"
    yield Paper("sheet", "LibreOffice", "a.xlsx", office("f.csv", _csv(rows), "xlsx", sheet), cells)
    yield Paper("sheet", "LibreOffice", "a.pdf", office("g.csv", _csv(rows), "pdf", sheet), cells)
    yield Paper("page", "Chromium", "a.pdf", chromium(page), said)
    narrow = _page(chapters, "columns:2")
    yield Paper("page in two columns", "Chromium", "a.pdf", chromium(narrow), said)
    yield Paper("page", "-", "a.html", page.encode(), said)
    yield Paper("mail", "Python", "a.eml", _mail(page), said)
    yield Paper("document", "by hand", "a.hwpx", documents.hwpx(*map(escape, said)), said)
    yield Paper("table, CP949", "Python", "a.csv", _csv(rows).encode("cp949"), cells)
    seen = _page(chapters[:1], f"{_FONTS};font-size:22px")
    shown = documents.by_chromium(folder, seen, "--screenshot", "--window-size=1000,1600")
    yield Paper("picture of a page", "Chromium", "a.png", shown, chapters[0].sentences)


def large(folder: pathlib.Path, draw: random.Random, share: float) -> Iterator[Paper]:
    """The most that is measured, or a share of it; what is written in them is not compared."""
    pages, count = max(3, round(PAGES * share)), max(100, round(ROWS * share))
    # Each of these begins a page and fills most of it.
    chapters = list(draft(draw, pages))
    office, html = _office(folder), _page(chapters, breaks=True)
    printed = documents.by_chromium(folder, html, "--print-to-pdf")
    yield Paper("book", "Chromium", "a.pdf", printed, [])
    yield Paper("book", "LibreOffice", "a.docx", office("a.fodt", _flat(chapters), "docx"), [])
    slides = list(draft(draw, max(3, round(SLIDES * share))))
    yield Paper("slides", "LibreOffice", "a.pptx", office("b.fodp", _slides(slides), "pptx"), [])
    table = _csv(table_of(draw, count))
    yield Paper(f"{count:,} rows", "Python", "a.csv", table.encode(), [])
    sheet = office("c.csv", table, "xlsx", "--infilter=CSV:44,34,76,1")
    yield Paper(f"{count:,} rows", "LibreOffice", "a.xlsx", sheet, [])
    yield Paper("book", "-", "a.html", html.encode(), [])
    said = [escape(sentence) for sentence in sentences_of(chapters)]
    yield Paper("book", "by hand", "a.hwpx", documents.hwpx(*said), [])


def draft(draw: random.Random, count: int) -> Iterator[Chapter]:
    """Sentences of two articles in turns. Each begins with its number, so that none is a part of another."""
    english, korean = (_sentences(name) for name in ("harbour", "library"))
    numbers = itertools.count(1)

    def some(of: list[str], most: int) -> list[str]:
        return [f"{next(numbers):06} {sentence}" for sentence in draw.sample(of, most)]

    for number in range(1, count + 1):
        yield Chapter(
            f"{next(numbers):06} 제{number}장 Chapter {number}",
            [some(english, 4), some(korean, 5), some(english, 3)],
            [*some(korean, 2), *some(english, 1)],
            [[f"{next(numbers):06} {word}" for word in ("값", "cost", str(number * 37))] for _ in range(3)],
        )


def sentences_of(chapters: list[Chapter]) -> list[str]:
    return [sentence for chapter in chapters for sentence in chapter.sentences]


def _sentences(name: str) -> list[str]:
    text = (_ARTICLES / f"{name}.txt").read_text("utf-8").partition("\n")[2]
    return [" ".join(found.split()) for found in _SENTENCE.split(text) if found.strip()]


def table_of(draw: random.Random, count: int) -> list[list[str]]:
    english = _sentences("harbour")
    made = [
        [
            f"A{n:06}",
            f"B{n:06} {draw.choice(_PEOPLE)}",
            f"C{n:06} {draw.choice(english)[:12].strip()}",
            f"D{n:06} {draw.randrange(10**6)}",
            f"E{n:06} 2026년 3월",
        ]
        for n in range(1, count + 1)
    ]
    return [list(_COLUMNS), *made]


def _csv(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _page(chapters: list[Chapter], style: str = "", *, breaks: bool = False) -> str:
    before = "h1{page-break-before:always}" if breaks else ""
    rules = f"body{{{_FONTS};{style}}}{before}td{{border:1px solid}}"
    parts = [f"<!doctype html><html><head><meta charset='utf-8'><style>{rules}</style></head><body>"]
    for chapter in chapters:
        parts.append(f"<h1>{escape(chapter.heading)}</h1>")
        parts += [f"<p>{escape(' '.join(paragraph))}</p>" for paragraph in chapter.paragraphs]
        points = "".join(f"<li>{escape(point)}</li>" for point in chapter.points)
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in chapter.rows
        )
        parts.append(f"<ul>{points}</ul><table>{rows}</table>")
    return "".join([*parts, "</body></html>"])


def _mail(page: str) -> bytes:
    message = email.message.EmailMessage()
    message["From"], message["Subject"] = "ada@example.com", "회의 notes"
    message.set_content(page, subtype="html", charset="utf-8", cte="base64")
    return message.as_bytes()


def _office(folder: pathlib.Path) -> Callable[..., bytes]:
    def convert(source: str, content: str, ending: str, *options: str) -> bytes:
        return documents.by_office(folder, source, content, ending, *options, seconds=600)

    return convert


def _flat(chapters: list[Chapter], columns: int = 1) -> str:
    """A text document as LibreOffice reads it, with a running header and page numbers that are no part of its text."""
    parts = []
    for chapter in chapters:
        parts.append(f'<text:h text:outline-level="1">{escape(chapter.heading)}</text:h>')
        parts += [f"<text:p>{escape(' '.join(paragraph))}</text:p>" for paragraph in chapter.paragraphs]
        points = "".join(f"<text:list-item>{_said(point)}</text:list-item>" for point in chapter.points)
        parts.append(f"<text:list>{points}</text:list>{_table(chapter.rows)}")
    split = f'<style:columns fo:column-count="{columns}" fo:column-gap="1cm"/>'
    return f"""<?xml version="1.0" encoding="UTF-8"?><office:document {_NAMES} office:version="1.3"
 office:mimetype="application/vnd.oasis.opendocument.text"><office:automatic-styles>
 <style:page-layout style:name="L"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm"
 fo:margin="2cm">{split}</style:page-layout-properties></style:page-layout></office:automatic-styles>
 <office:master-styles><style:master-page style:name="Standard" style:page-layout-name="L">
 <style:header><text:p>Kestrel Bay report 보고서</text:p></style:header>
 <style:footer><text:p>- <text:page-number/> -</text:p></style:footer></style:master-page></office:master-styles>
 <office:body><office:text>{"".join(parts)}</office:text></office:body></office:document>"""


def _slides(chapters: list[Chapter]) -> str:
    """A slide for each chapter, its title, text and table."""
    pages = []
    for chapter in chapters:
        said = "".join(_said(" ".join(paragraph)) for paragraph in [*chapter.paragraphs, chapter.points])
        pages.append(
            f'<draw:page draw:name="{chapter.heading}" draw:master-page-name="M">'
            f"{_frame(1, 2, f'<draw:text-box>{_said(chapter.heading)}</draw:text-box>', 'title')}"
            f"{_frame(3, 8, f'<draw:text-box>{said}</draw:text-box>')}"
            f"{_frame(12, 3, _table(chapter.rows))}</draw:page>"
        )
    return f"""<?xml version="1.0" encoding="UTF-8"?><office:document {_NAMES} office:version="1.3"
 office:mimetype="application/vnd.oasis.opendocument.presentation"><office:automatic-styles>
 <style:page-layout style:name="L"><style:page-layout-properties fo:page-width="28cm" fo:page-height="21cm"/>
 </style:page-layout></office:automatic-styles><office:master-styles>
 <style:master-page style:name="M" style:page-layout-name="L"/></office:master-styles>
 <office:body><office:presentation>{"".join(pages)}</office:presentation></office:body></office:document>"""


def _frame(top: int, height: int, content: str, holder: str = "") -> str:
    kind = f' presentation:class="{holder}"' if holder else ""
    return f'<draw:frame{kind} svg:x="1cm" svg:y="{top}cm" svg:width="26cm" svg:height="{height}cm">{content}</draw:frame>'


def _table(rows: list[list[str]]) -> str:
    lines = "".join(
        f"<table:table-row>{''.join(f'<table:table-cell>{_said(cell)}</table:table-cell>' for cell in row)}"
        "</table:table-row>"
        for row in rows
    )
    return f'<table:table><table:table-column table:number-columns-repeated="{len(rows[0])}"/>{lines}</table:table>'


def _said(text: str) -> str:
    return f"<text:p>{escape(text)}</text:p>"
