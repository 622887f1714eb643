"""Markdown as pieces: what Slack can show as a block of its own, before it is dealt into messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from markdown_it.tree import SyntaxTreeNode

from tasks.deliver import defuse, links, tables

Element = dict[str, Any]

# Slack: a header holds 150 characters (docs.slack.dev/reference/block-kit/blocks/header-block).
MAX_HEADER = 150
# Slack's composer stops at nine levels; deeper ones are shown at the last.
MAX_INDENT = 8
# Slack ends a list's numbers in int32.
MAX_NUMBER = 999_999
_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,40}")
_TASK = re.compile(r"\[([ xX])\](?=\s|$)")
_STYLES = {"strong": "bold", "em": "italic", "s": "strike"}


@dataclass(frozen=True)
class Run:
    """Text in one style, maybe a link."""

    text: str
    styles: frozenset[str] = frozenset()
    url: str | None = None

    def element(self) -> Element:
        element: Element = {"type": "text", "text": self.text}
        if self.url is not None:
            element = {"type": "link", "url": self.url, "text": self.text}
        if self.styles:
            element["style"] = dict.fromkeys(sorted(self.styles), True)
        return element


@dataclass
class Piece:
    """One block to be. `kind` is text, heading, rule or table; a text may be split, at its elements."""

    kind: str
    elements: list[Element] = field(default_factory=list)
    block: Element | None = None

    def blocks(self) -> list[Element]:
        return [self.block if self.block is not None else {"type": "rich_text", "elements": self.elements}]


def from_tree(root: SyntaxTreeNode, native_tables: bool) -> list[Piece]:
    """The pieces of a document; tables as Slack's own where wanted and within Slack's limits."""
    made = (piece for node in root.children for piece in _piece(node, native_tables))
    return [piece for piece in made if piece.block is not None or any(map(_says, piece.elements))]


def from_plain(text: str) -> list[Piece]:
    """Text shown as it is, a paragraph a piece."""
    paragraphs = [part.strip("\n") for part in re.split(r"\n[ \t]*\n", text)]
    return [Piece("text", [section([Run(part)])]) for part in paragraphs if part.strip()]


def section(runs: Iterable[Run], kind: str = "rich_text_section") -> Element:
    """Runs as one element of Slack's rich text, in which nothing pings."""
    merged = _merge(runs)
    safe = defuse.defuse_runs([run.text for run in merged])
    shown = [replace(run, text=text) for run, text in zip(merged, safe, strict=True) if text]
    return {"type": kind, "elements": [run.element() for run in shown or [Run(" ")]]}


def preformatted(text: str, language: str = "") -> Element:
    """Code, shown literally."""
    code = defuse.defuse(defuse.clean(text).rstrip("\n"))
    element: Element = {
        "type": "rich_text_preformatted",
        "elements": [{"type": "text", "text": code or " "}],
    }
    if _LANGUAGE.fullmatch(language):
        element["language"] = language
    return element


def _piece(node: SyntaxTreeNode, native_tables: bool) -> Iterator[Piece]:
    if node.type == "hr":
        yield Piece("rule", block={"type": "divider"})
    elif node.type == "heading":
        yield _heading(node)
    elif node.type == "table" and native_tables and (block := tables.native(_cells(node), _aligns(node))):
        yield Piece("table", block=block)
    elif elements := _merge_quotes(_gather(_entries(node, 0, quoted=False))):
        yield Piece("text", elements)


def _says(element: Element) -> bool:
    """Whether anything is left to see: `&#x202e;` is a paragraph to Markdown and nothing to a reader."""
    shown = element.get("text", "")
    return bool(shown.strip()) or any(map(_says, element.get("elements", ())))


def _heading(node: SyntaxTreeNode) -> Piece:
    """A header block for the two upper levels if it can say all; otherwise a bold line."""
    runs = _merge(_inline(node))
    text = defuse.defuse("".join(run.text for run in runs).replace("\n", " "))
    plain = all(run.url is None and "code" not in run.styles for run in runs)
    if plain and text.strip() and node.tag in ("h1", "h2") and defuse.size(text) <= MAX_HEADER:
        header = {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}
        return Piece("heading", block=header)
    return Piece("heading", [section(_bold(runs))])


def _bold(runs: Iterable[Run]) -> list[Run]:
    return [replace(run, styles=run.styles | {"bold"}) for run in runs]


@dataclass
class _Item:
    """A line of a list; neighbours of one kind become one rich_text_list."""

    style: str
    indent: int
    number: int
    section: Element
    quoted: bool


def _entries(node: SyntaxTreeNode, indent: int, *, quoted: bool) -> Iterator[_Item | Element]:
    """A block of the document as list items and other elements, in order."""
    if node.type in ("bullet_list", "ordered_list"):
        yield from _list(node, indent, quoted)
    elif node.type == "blockquote":
        for child in node.children:
            yield from _entries(child, indent, quoted=True)
    elif node.type in ("fence", "code_block"):
        yield _bordered(preformatted(node.content, (node.info.split() or [""])[0]), quoted)
    elif node.type == "table":
        yield _bordered(preformatted(tables.aligned(_cells(node))), quoted)
    elif runs := _inline(node):
        styled = _bold(runs) if node.type == "heading" else runs
        yield section(styled, "rich_text_quote" if quoted else "rich_text_section")


def _bordered(element: Element, quoted: bool) -> Element:
    return {**element, "border": 1} if quoted else element


def _list(node: SyntaxTreeNode, indent: int, quoted: bool) -> Iterator[_Item | Element]:
    start = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else 0
    style = "ordered" if node.type == "ordered_list" else "bullet"
    for number, item in enumerate(node.children, start):
        runs, rest = _item_text(item)
        yield _Item(style, indent, number, section(runs), quoted)
        for child in rest:
            yield from _entries(child, indent + 1, quoted=quoted)


def _item_text(item: SyntaxTreeNode) -> tuple[list[Run], list[SyntaxTreeNode]]:
    """An item's own text (all its paragraphs up to a nested block), and the blocks nested in it."""
    runs: list[Run] = []
    children = list(item.children)
    while children and children[0].type in ("paragraph", "heading"):
        child = children.pop(0)
        text = _inline(child)
        runs += [Run("\n")] * bool(runs)
        runs += _bold(text) if child.type == "heading" else text
    if runs and (task := _TASK.match(runs[0].text)):
        box = "☐" if task[1] == " " else "☑"
        runs[0] = replace(runs[0], text=box + runs[0].text[task.end() :])
    return runs, children


def _gather(entries: Iterable[_Item | Element]) -> list[Element]:
    """Consecutive items as lists that go on counting where the one before them stopped."""
    elements: list[Element] = []
    last: _Item | None = None
    for entry in entries:
        if not isinstance(entry, _Item):
            elements.append(entry)
            last = None
            continue
        follows = last and (last.style, last.indent, last.quoted) == (entry.style, entry.indent, entry.quoted)
        if not (follows and last and entry.number == last.number + 1):
            elements.append(_open_list(entry))
        elements[-1]["elements"].append(entry.section)
        last = entry
    return elements


def _open_list(item: _Item) -> Element:
    element: Element = {
        "type": "rich_text_list",
        "style": item.style,
        "indent": min(item.indent, MAX_INDENT),
        "elements": [],
    }
    if item.number > 1:
        element["offset"] = min(item.number, MAX_NUMBER) - 1
    return _bordered(element, item.quoted)


def _merge_quotes(elements: Sequence[Element]) -> list[Element]:
    """Neighbouring paragraphs of a quotation share one bar."""
    merged: list[Element] = []
    for element in elements:
        if merged and element["type"] == merged[-1]["type"] == "rich_text_quote":
            merged[-1]["elements"] += [{"type": "text", "text": "\n\n"}, *element["elements"]]
        else:
            merged.append(element)
    return merged


def _cells(table: SyntaxTreeNode) -> list[list[Element]]:
    rows = [row for part in table.children for row in part.children]
    return [[section(_inline(cell)) for cell in row.children] for row in rows]


def _aligns(table: SyntaxTreeNode) -> list[str]:
    styles = [str(cell.attrs.get("style", "")) for cell in table.children[0].children[0].children]
    return [style.removeprefix("text-align:") or "left" for style in styles]


def _merge(runs: Iterable[Run]) -> list[Run]:
    merged: list[Run] = []
    same: list[str] = []
    for run in runs:
        if merged and (merged[-1].styles, merged[-1].url) == (run.styles, run.url):
            same.append(run.text)
            continue
        if merged:
            merged[-1] = replace(merged[-1], text="".join(same))
        merged.append(run)
        same = [run.text]
    if merged:
        merged[-1] = replace(merged[-1], text="".join(same))
    return [run for run in merged if run.text]


def _inline(node: SyntaxTreeNode, styles: frozenset[str] = frozenset()) -> list[Run]:
    return [run for child in node.children for run in _runs(child, styles)]


def _runs(node: SyntaxTreeNode, styles: frozenset[str]) -> list[Run]:
    """Inline Markdown as runs."""
    if node.type in ("softbreak", "hardbreak"):
        return [Run("\n", styles)]
    if node.type == "code_inline":
        return [Run(defuse.clean(node.content), styles | {"code"})]
    if node.type in ("link", "image"):
        return _link(node, styles)
    if node.children:
        style = _STYLES.get(node.type)
        return _inline(node, styles | {style} if style else styles)
    shown = defuse.clean(node.content)
    return [Run(text, styles, url) for text, url in links.bare(shown)]


def _link(node: SyntaxTreeNode, styles: frozenset[str]) -> list[Run]:
    """A link or an image as a link; one that may not be followed as its text and its address."""
    target = defuse.clean(str(node.attrs.get("href") or node.attrs.get("src") or ""))
    inner = _inline(node)
    label = "".join(run.text for run in inner)
    own = frozenset[str].intersection(*(run.styles for run in inner)) if inner else frozenset[str]()
    url = links.safe(target)
    if url is None and node.info == "auto":
        # `<!subteam^S1|@dev>` is an e-mail address to CommonMark, and so it stays as it was written.
        return [Run(f"<{label}>", styles)]
    if url is None:
        shown = f"{label} ({target})" if label.strip() and target else label or target
        return [Run(shown, styles | own)]
    host = links.hidden_host(label, url)
    shown = f"{label} ({host})" if host else label
    return [Run(shown if shown.strip() else url, styles | own, url)]
