"""Running headers and footers: what a PDF says again at the top or the bottom of every page."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

# Lines at either end of a page that may be running ones.
_EDGE = 3
# A book's left and right pages have lines of their own, so that each stands on half of the pages at most.
_SHARE = 0.4
_LEAST_PAGES = 3
_NUMBER = re.compile(r"\d{1,6}")
# A line with more numbers than a running one has is not looked at for a page number.
_MOST_NUMBERS = 4


def without(pages: Sequence[str]) -> list[str]:
    """The pages without their running lines. What such a line says stays where it stands first, for it may be
    the title; page numbers go everywhere.
    """
    if len(pages) < _LEAST_PAGES:
        return list(pages)
    split = [page.split("\n") for page in pages]
    keys = [
        {place: _keys(lines[place], number) for place in _edges(lines)} for number, lines in enumerate(split)
    ]
    seen = Counter(key for page in keys for key in {key for line in page.values() for key in line})
    running = {key for key, times in seen.items() if times >= max(_LEAST_PAGES, _SHARE * len(pages))}
    said: set[str] = set()
    return ["\n".join(_kept(lines, page, running, said)) for lines, page in zip(split, keys, strict=True)]


def _kept(lines: list[str], keys: dict[int, list[str]], running: set[str], said: set[str]) -> Iterator[str]:
    for place, line in enumerate(lines):
        as_it_is, *counting = keys.get(place, [""])
        if not running.isdisjoint(counting):
            continue
        if as_it_is not in running:
            yield line
        elif as_it_is not in said:
            said.add(as_it_is)
            yield line


def _edges(lines: list[str]) -> set[int]:
    """Where the first and the last lines with words on them are."""
    written = [place for place, line in enumerate(lines) if line.strip()]
    return {*written[:_EDGE], *written[-_EDGE:]}


def _keys(line: str, page: int) -> list[str]:
    """What the line has in common with others of its kind: itself, and itself with a number that counts on."""
    line = " ".join(line.split())
    numbers = list(_NUMBER.finditer(line))
    if len(numbers) > _MOST_NUMBERS:
        return [line]
    return [
        line,
        *(f"{line[: n.start()]}\0{int(n[0]) - page}\0{line[n.end() :]}" for n in numbers),
    ]
