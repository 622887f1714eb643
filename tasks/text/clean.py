"""Turning what people paste, and what Slack makes of it, into plain readable text."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from tasks.text import fences, mend, running
from tasks.text.document import Document, Table

_BREAKS = re.compile("\r\n?|[\x0b\x85\u2028\u2029]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Control characters; zero-width, soft-hyphen and direction marks; the tags and selectors in which text
# can be hidden from people but not from models (U+E0000-E0FFF); what Unicode will never assign.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e0fff]"
)
# Joiners hold emoji families and Arabic or Indic letters together; anywhere else they are noise.
_JOINERS = re.compile("(?<![\u0600-\u0dff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]+")
_HALVES = re.compile("[\ud800-\udfff]")
_TRAILING = re.compile(r"(?<![ \t])[ \t]++$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")

_SLACK = re.compile(r"<([^<>\n]+)>|&(amp|lt|gt);")
_SLACK_FENCE = re.compile(r"```(.*?)```", re.DOTALL)
_INFO = re.compile(r"[\w+#-]{1,20}\n")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}

_NOT_PROSE = re.compile(r"https?://\S+|`[^`\n]+`")
_HANGUL = re.compile("[\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e]")
_LATIN = re.compile("[A-Za-z]")


def clean(text: str) -> str:
    """`text` without what nobody can see, in NFC, with `\\n` line ends and at most one blank line in a row.

    Halves of surrogate pairs become U+FFFD, odd spaces plain ones, form feeds paragraphs. Inside code
    fences blank lines and trailing spaces stay. Cleaning a clean text changes nothing.
    """
    text = _BREAKS.sub("\n", text).replace("\x0c", "\n\n")
    text = _HALVES.sub("\ufffd", _SPACES.sub(" ", text))
    text = unicodedata.normalize("NFC", _JOINERS.sub("", _UNSEEN.sub("", text)))
    parts, at = [], 0
    for fence in fences.find(text):
        # The line end of a closing line belongs to the fence, and counts among the blank lines after it.
        parts += [_tidy(text[at : fence.start], at > 0), text[fence.start : fence.end]]
        at = fence.end
    parts.append(_tidy(text[at:], at > 0))
    return re.sub(r"\A(?:[ \t]*\n)+", "", "".join(parts).rstrip())


def document(found: Document) -> Document:
    """A document that was read from a file, mended and clean; sections without a word in them are gone.

    In a PDF, whose sections are its pages, running headers and footers go, and broken words are whole again.
    """
    texts = [mend.mend(section.text) for section in found.sections]
    if found.kind == "pdf":
        without = running.without(texts)
        # Pages of hardly more than a line each: there what repeats is what they say.
        if 2 * sum(map(len, without)) > sum(map(len, texts)):
            texts = without
        texts = [mend.joined(text.replace("\r\n", "\n")) for text in texts]
    sections = [
        replace(section, text=text)
        for section, text in zip(found.sections, map(clean, texts), strict=True)
        if text
    ]
    return replace(found, sections=sections, tables=[_table(table) for table in found.tables])


def _table(table: Table) -> Table:
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    return replace(table, header=[_cell(cell) for cell in table.header], rows=rows)


def _cell(cell: str) -> str:
    return cell if mend.is_plain(cell) else clean(mend.mend(cell))


def _tidy(text: str, after_fence: bool) -> str:
    tidy = _BLANK_LINES.sub("\n\n", _TRAILING.sub("", text))
    return tidy[1:] if after_fence and tidy.startswith("\n\n") else tidy


def clean_slack(text: str, names: Mapping[str, str]) -> str:
    """`clean` for the text of a Slack message: its markup becomes the words that people see.

    `names` maps ids of users, channels and groups (`U1`, `C1`, `S1`) to names; an id that it lacks is
    shown by the label in the markup, else as it is. Code fences are given lines of their own, which
    Slack does not ask for and Markdown does. Source: docs.slack.dev, "Formatting message text".
    """
    plain = _SLACK.sub(lambda found: _word(found, names), text)
    return clean(_SLACK_FENCE.sub(_fence, plain))


def _word(found: re.Match[str], names: Mapping[str, str]) -> str:
    if found[2]:
        return _ENTITIES[found[2]]
    target, _, label = found[1].partition("|")
    label = _plain(label)
    if not target:
        return label  # Slack sends no such thing.
    kind, rest = target[0], target[1:]
    if kind == "@":
        return "@" + (names.get(rest) or label or rest).removeprefix("@")
    if kind == "#":
        return "#" + (names.get(rest) or label or rest).removeprefix("#")
    if kind == "!":
        return _special(rest, label, names)
    return _link(_plain(target), label)


def _special(target: str, label: str, names: Mapping[str, str]) -> str:
    kind, *values = target.split("^")
    if kind == "date":
        return label or _day(values[0] if values else "")
    if kind == "subteam" and values:
        return "@" + (names.get(values[0]) or label or values[0]).removeprefix("@")
    return label or f"@{kind}"  # <!here>, <!channel>, <!everyone>


def _day(seconds: str) -> str:
    try:
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return seconds


def _link(target: str, label: str) -> str:
    address = re.sub(r"^(?:mailto|tel):", "", target)
    if not label or address.rstrip("/") in (label, f"http://{label}", f"https://{label}"):
        return address
    return f"{label} ({address})"


def _plain(text: str) -> str:
    return re.sub(r"&(amp|lt|gt);", lambda found: _ENTITIES[found[1]], text)


def _fence(found: re.Match[str]) -> str:
    body, text = found[1], found.string
    if "\n" not in body:
        return found[0]  # One line of code inside a sentence is fine where it is.
    before = "" if not found.start() or text[found.start() - 1] == "\n" else "\n"
    after = "" if text.startswith("\n", found.end()) else "\n"
    first = "" if body.startswith("\n") or _INFO.match(body) else "\n"
    last = "" if body.endswith("\n") else "\n"
    return f"{before}```{first}{body}{last}```{after}"


def language(text: str) -> Literal["ko", "en"]:
    """'ko' if at least a quarter of the Hangul and Latin letters outside of code and links is Hangul.

    A quarter, because Korean at work is full of English terms, and a syllable carries more than a letter.
    """
    words = prose(text)
    hangul, latin = len(_HANGUL.findall(words)), len(_LATIN.findall(words))
    return "ko" if hangul and hangul * 3 >= latin else "en"


def prose(text: str) -> str:
    """`text` without its code and links."""
    ends = [0, *(edge for fence in fences.find(text) for edge in (fence.start, fence.end)), len(text)]
    outside = (text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True))
    return _NOT_PROSE.sub(" ", "".join(outside))
