"""Text recognition by tesseract, where it is installed with the languages that we speak."""

import csv
import functools
import io
import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tasks.prepare.extract import leash
from tasks.prepare.extract.problem import Problem

# Tesseract's own advice for print; a page then has about 4 million pixels.
DPI = 200
PIXELS = 12_000_000

_KOREAN = "kor"
_WANTED = (_KOREAN, "eng")
# Korean is read without the spaces between its words unless they are asked for.
_OPTIONS = ("--dpi", str(DPI), "-c", "preserve_interword_spaces=1")

# Of 100. Among Korean words, Latin ones that are none have 50 to 92, and most that are some 95 and more.
_SURE = 94
_WORD = "5"  # The level of a word in tesseract's table.
_HANGUL = re.compile("[가-힣]")
_LATIN = re.compile("[A-Za-z]")
_KOREAN_WORD = re.compile("[가-힣][가-힣.,!?]*")


@dataclass(frozen=True)
class _Word:
    text: str
    sure: float
    left: int
    top: int
    width: int
    height: int

    def holds(self, other: "_Word") -> bool:
        """Whether the middle of the other is in this one's box."""
        x, y = other.left + other.width / 2, other.top + other.height / 2
        return self.left <= x <= self.left + self.width and self.top <= y <= self.top + self.height


@dataclass(frozen=True)
class _Reading:
    text: str
    lines: list[list[_Word]]
    """The words of each line of the text that is not empty."""


@functools.cache
def languages() -> str:
    """Which of our languages can be read, in tesseract's words; "" without tesseract."""
    if shutil.which("tesseract") is None:
        return ""
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)
    return "+".join(name for name in _WANTED if name in listed.stdout.split())


def as_pnm(picture: Image.Image) -> bytes:
    """A picture as tesseract takes it by pipe, without the work of packing it."""
    out = io.BytesIO()
    picture.convert("L").save(out, "PPM")
    return out.getvalue()


def read(picture: bytes, spoken: str) -> str:
    """The text in a picture.

    Asked for both languages, tesseract takes Korean words for Latin ones now and then (`문을` for `SS`). Where it is not
    sure of a Latin word in a Korean line, the word is read once more, as Korean.
    """
    first = _recognised(picture, spoken)
    if spoken == _KOREAN or not any(_doubtful(line) for line in first.lines):
        return first.text.strip()
    again = list(itertools.chain.from_iterable(_recognised(picture, _KOREAN).lines))
    lines = iter(first.lines)
    return "\n".join(
        _mended(line, next(lines, []), again) if line.strip() else line for line in first.text.split("\n")
    ).strip()


def _doubtful(line: list[_Word]) -> list[_Word]:
    if not any(_HANGUL.search(word.text) for word in line):
        return []
    return [word for word in line if word.sure < _SURE and _LATIN.search(word.text)]


def _mended(text: str, line: list[_Word], again: list[_Word]) -> str:
    """A line of the text with its doubtful words as they were read again, where that made them Korean words."""
    doubtful = _doubtful(line)
    parts, at = [], 0
    for word in line:
        start = text.find(word.text, at)
        if start < 0:
            continue
        korean = "".join(each.text for each in again if word.holds(each)) if word in doubtful else ""
        is_better = _KOREAN_WORD.fullmatch(korean) is not None
        parts += [text[at:start], korean if is_better else word.text]
        at = start + len(word.text)
    return "".join([*parts, text[at:]])


def _recognised(picture: bytes, spoken: str) -> _Reading:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "page"
        command = ["tesseract", "stdin", str(out), "-l", spoken, *_OPTIONS, "txt", "tsv"]
        # One thread: the other cores belong to other requests.
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        done = subprocess.run(
            command,
            input=picture,
            capture_output=True,
            env=environment,
            check=False,
            # Safe here: a process of one thread has no lock that its child could wait for.
            preexec_fn=leash.put_on,
        )
        if done.returncode != 0:
            raise Problem("broken")
        text = out.with_suffix(".txt").read_text("utf-8", "replace").replace("\x0c", "")
        table = out.with_suffix(".tsv").read_text("utf-8", "replace")
    return _Reading(text, list(_lines(table)))


def _lines(table: str) -> Iterator[list[_Word]]:
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    words = (row for row in rows if row["level"] == _WORD and row["text"].strip())
    for _, line in itertools.groupby(words, lambda row: (row["block_num"], row["par_num"], row["line_num"])):
        yield [
            _Word(
                row["text"],
                float(row["conf"]),
                *(int(row[key]) for key in ("left", "top", "width", "height")),
            )
            for row in line
        ]
