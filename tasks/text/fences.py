"""Where the fenced code blocks of a Markdown text are (CommonMark 0.31, section 4.5)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARK = re.compile(r"^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,})([^\n]*)\n?", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """A closed code block: `text[start:end]` holds its opening line to its closing line, both whole."""

    start: int
    body: int
    """Where the first line after the opening line starts."""
    tail: int
    """Where the closing line starts."""
    end: int
    mark: str
    """The backticks or tildes that open it."""
    info: str
    """What follows the mark on the opening line, such as `python`."""

    @property
    def opening(self) -> str:
        """A line that opens the same kind of block again."""
        return f"{self.mark}{self.info}\n"

    @property
    def closing(self) -> str:
        """What closes the block after a line that does not end."""
        return f"\n{self.mark}"


def find(text: str) -> list[Fence]:
    """The closed fences of `text`, in order. A fence that nothing closes is plain text, unlike in
    CommonMark: one stray mark at the top of a long text should not turn all of it into code.
    """
    return list(_find(list(_MARK.finditer(text))))


def _find(lines: list[re.Match[str]]) -> Iterator[Fence]:
    hopeless: dict[str, int] = {}  # Per mark, the shortest length that nothing further down closes.
    at = 0
    while at < len(lines):
        line = lines[at]
        mark = line[1]
        close = None
        if len(mark) < hopeless.get(mark[0], len(line[0]) + 1):
            close = next((i for i in range(at + 1, len(lines)) if _closes(lines[i], mark)), None)
            if close is None:
                hopeless[mark[0]] = len(mark)
        if close is not None:
            yield Fence(
                line.start(), line.end(), lines[close].start(), lines[close].end(), mark, line[2].strip()
            )
            at = close
        at += 1


def _closes(line: re.Match[str], mark: str) -> bool:
    return line[1].startswith(mark) and not line[2].strip()
