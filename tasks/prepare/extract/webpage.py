"""HTML, also Slack's canvases: headings, lists, tables and links; without what a browser does not show."""

import re
from html.parser import HTMLParser
from pathlib import Path

from tasks.prepare.extract import decode, markup
from tasks.text.document import Document, Section

_UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "head", "nav", "iframe", "select"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "legend",
        "main",
        "ol",
        "p",
        "section",
        "summary",
        "table",
        "ul",
    ]
)
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([A-Za-z0-9_-]{2,20})""", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_AROUND_BREAK = re.compile(r"[ \t]*\n[ \t]*")


def read(path: Path, name: str, kind: str) -> Document:
    """The page as one section, its title first."""
    return Document(name, kind, [Section(text(_decoded(path.read_bytes())))])


def text(html: str) -> str:
    """What a browser shows of `html`, as Markdown."""
    page = _Page()
    page.feed(html)
    page.close()
    return page.text()


def _decoded(data: bytes) -> str:
    said = _CHARSET.search(data[:4096])
    if said:
        try:
            return data.decode(said[1].decode())
        except (LookupError, UnicodeDecodeError):
            pass  # It says one thing and is another.
    return decode.text(data)


class _Page(HTMLParser):
    """Collects text; a table's cells are collected apart, and written when it ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.tables: list[list[list[list[str]]]] = []
        self.unseen = 0
        self.preformatted = 0
        self.links: list[str] = []
        self.title: list[str] | None = None

    def text(self) -> str:
        """What was collected."""
        while self.tables:  # One that nothing closed.
            self._end_table()
        return "".join(self.out).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and self.title is None and not self.tables:
            self.title = []
        if tag in _UNSEEN or self.unseen:
            self.unseen += tag in _UNSEEN
            return
        if tag == "body" and self.title:
            self._write(f"# {' '.join(''.join(self.title).split())}\n\n")
        match tag:
            case "table":
                self._write("\n\n")
                self.tables.append([])
            case "tr" if self.tables:
                self.tables[-1].append([])
            case "td" | "th" if self.tables:
                if not self.tables[-1]:
                    self.tables[-1].append([])
                self.tables[-1][-1].append([])
            case "br":
                self._write("\n")
            case "li":
                self._write("\n- ")
            case "pre":
                self.preformatted += 1
                self._write("\n\n```\n")
            case "a":
                self.links.append(dict(attrs).get("href") or "")
            case "img":
                self._write(dict(attrs).get("alt") or "")
            case _ if tag in _BLOCKS:
                mark = f"{'#' * int(tag[1])} " if re.fullmatch("h[1-6]", tag) else ""
                self._write("\n\n" + mark)

    def handle_endtag(self, tag: str) -> None:
        if self.unseen:
            self.unseen -= tag in _UNSEEN
            return
        if tag == "table" and self.tables:
            self._end_table()
        elif tag == "pre" and self.preformatted:
            self.preformatted -= 1
            self._write("\n```\n\n")
        elif tag == "a" and self.links:
            link = self.links.pop()
            if link.startswith(("http://", "https://")):
                self._write(f" ({link})")
        elif tag in _BLOCKS:
            self._write("\n\n")

    def handle_data(self, data: str) -> None:
        if self.title is not None and self.lasttag == "title":
            self.title.append(data)
        elif not self.unseen:
            self._write(data if self.preformatted else _SPACE.sub(" ", data))

    def _write(self, text: str) -> None:
        if self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1].append(text)
        elif not self.tables or not self.tables[-1] or text.strip():
            self.out.append(text)

    def _end_table(self) -> None:
        rows = self.tables.pop()
        written = markup.table([["".join(cell) for cell in row] for row in rows])
        self._write(f"\n\n{written}\n\n")
