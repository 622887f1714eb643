"""The Markdown that language models write, parsed: CommonMark with tables, Korean emphasis and LaTeX."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import escapedSplit, getLine, table
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

# markdown-it drops what is nested deeper than this; parse() then says so instead of losing text.
MAX_NESTING = 100
_DOLLARS = re.compile(r"\$(?![\s$])[^$\n]{0,300}[^\s$]\$(?!\d)|\$(?![\s$])[^\s$]\$(?!\d)")
# Opening, closing, and how far apart they may be: a formula is short, and so the search stays linear.
_PAIRS = (("$$", "$$", 2000), ("\\(", "\\)", 500), ("\\[", "\\]", 2000))


class _Inline(ParserInline):
    """markdown-it's own inline parser over a state with the Korean rule."""

    def parse(self, src: str, md: MarkdownIt, env: Any, tokens: list[Token]) -> list[Token]:
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class _State(StateInline):
    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803 (markdown-it's name)
        """Emphasis may touch a Korean, Chinese or Japanese letter even across punctuation.

        CommonMark leaves `**괄호(예시)**는` as it is, since a particle follows a bracket. The amendment
        is that of github.com/tats-u/markdown-cjk-friendly; underscores keep their word rule.
        """
        scanned = super().scanDelims(start, canSplitWord)
        if not canSplitWord:
            return scanned
        before = self.src[start - 1] if start else " "
        end = start + scanned.length
        after = self.src[end] if end < self.posMax else " "
        opens = _is_wide(before) and not isWhiteSpace(ord(after))
        closes = _is_wide(after) and not isWhiteSpace(ord(before))
        return Scanned(scanned.can_open or opens, scanned.can_close or closes, scanned.length)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WFH"


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A table; where a row has more cells than the header, which GFM would drop, its source as code."""
    first = len(state.tokens)
    taken = table(state, start, end, silent)
    if not taken or silent:
        return taken
    columns = sum(token.type == "th_open" for token in state.tokens[first:])
    rows = [getLine(state, line).strip() for line in range(start, state.line)]
    if any(_cells(row) > columns for row in rows):
        del state.tokens[first:]
        state.push("fence", "code", 0).content = "\n".join(rows)
    return True


def _cells(row: str) -> int:
    cells = escapedSplit(row)
    return len(cells) - (not cells[0]) - (len(cells) > 1 and not cells[-1])


def _formula(state: StateInline, silent: bool) -> bool:
    """Take LaTeX as it is written: its underscores, stars and backslashes are no Markdown."""
    if state.src[state.pos] not in "$\\":
        return False
    end = _formula_end(state.src, state.pos, state.posMax)
    if end is None:
        return False
    if not silent:
        state.push("text", "", 0).content = state.src[state.pos : end]
    state.pos = end
    return True


def _formula_end(text: str, start: int, stop: int) -> int | None:
    for opening, closing, reach in _PAIRS:
        if text.startswith(opening, start):
            at = text.find(closing, start + 3, min(start + reach, stop))
            return None if at < 0 else at + 2
    found = _DOLLARS.match(text, start, stop)
    return found.end() if found else None


def _any_link(url: str) -> bool:
    """Let the parser see every link; which of them may be clicked is decided where it is built."""
    return True


@cache
def _parser() -> MarkdownIt:
    md = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING})
    md.inline = _Inline()
    md.enable(["table", "strikethrough"]).enable(["emphasis", "strikethrough"])
    # `[^1]: https://..` would vanish as a reference; `text\n---` is meant as a rule, not as a heading.
    md.disable(["reference", "lheading", "html_block", "html_inline", "linkify"], ignoreInvalid=True)
    md.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    md.inline.ruler.before("escape", "formula", _formula)
    md.validateLink = _any_link  # type: ignore[method-assign]  # As its documentation says to.
    return md


def parse(text: str) -> SyntaxTreeNode | None:
    """The tree of `text`; None where it nests so deep that the parser would lose some of it."""
    tokens = _parser().parse(text)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        return None
    return SyntaxTreeNode(tokens)
