"""Text made harmless: nothing a model or a person writes may ping, hide or smuggle."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import wcwidth

# A word joiner: drawn as nothing, forbids no reading, and ends what Slack would take for markup.
# clean() removes it from all input, so each one in the output was put there by defuse().
JOINER = "\u2060"
ELLIPSIS = "…"
_LONGEST_GRAPHEME = 64

_NEWLINES = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-Z\\^_])")
# C0 and C1 controls, soft hyphen, zero-width spaces, bidirectional marks, embeddings, overrides and
# isolates (Trojan Source, CVE-2021-42574), invisible operators, interlinear annotation, tag characters
# and the supplementary variation selectors, which both carry hidden text.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
# Joiners belong between letters of some scripts and inside emoji, never beside ASCII.
_STRAY_JOINERS = re.compile("[\u200c\u200d]+(?=[\x00-\x7f]|$)|(?:(?<=[\x00-\x7f])|^)[\u200c\u200d]+")
# What a reader or a lenient parser looks through: joiners, variation selectors, Hangul fillers.
_LOOKED_THROUGH = frozenset("\u200c\u200d\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {
    chr(code) for code in range(0xFE00, 0xFE10)
}
_SUSPECT = re.compile("[<@＜﹤＠﹫]|&(?:lt|#)", re.IGNORECASE)
# Slack: <!channel>, <!subteam^S1>, <!date^..>, <@U1>, <#C1>; and @channel where names are linked
# (docs.slack.dev/messaging/formatting-message-text). HTML comments and doctypes are no Slack markup,
# and an address like me@here.com is not a ping: both stay as they are, so that code can be copied.
_LIVE = re.compile(
    r"(?:<|&lt;|&\#0*60;|&\#x0*3c;)(?=!(?!--|doctype\b|\[cdata\[)|[@\#][a-z0-9])"
    r"|@(?=channel|here|everyone|group)(?!(?<=[a-z0-9]@)(?:channel|here|everyone|group)\.[a-z])"
)


def clean(text: str) -> str:
    """`text` with \\n line ends, without controls, hidden characters and half surrogate pairs."""
    seen = _UNSEEN.sub("", _ANSI.sub("", _NEWLINES.sub("\n", encodable(text))))
    return _STRAY_JOINERS.sub("", seen)


def encodable(text: str) -> str:
    """`text` fit for UTF-8: surrogate pairs as the characters they mean, halves replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def defuse(text: str) -> str:
    """`text` looking the same, in which nothing reads as a ping or as Slack's angle markup."""
    return defuse_runs([text])[0]


def defuse_runs(runs: Sequence[str]) -> list[str]:
    """The same for neighbours that a reader sees as one text: `<!chan` and `nel>` are safe apart only."""
    whole = "".join(runs)
    cuts = live(whole)
    if not cuts:
        return list(runs)
    return list(_insert(runs, cuts))


def live(text: str) -> list[int]:
    """Where `text` would ping or open Slack's markup: the offsets just behind each dangerous sign."""
    if not _SUSPECT.search(text):
        return []
    folded, origin = fold(text)
    return sorted({origin[found.end() - 1] + 1 for found in _LIVE.finditer(folded)})


def fold(text: str) -> tuple[str, list[int]]:
    """What `text` reads as (full-width as ASCII, unseen signs left out), and each sign's origin."""
    folded: list[str] = []
    origin: list[int] = []
    for index, char in enumerate(text):
        if char in _LOOKED_THROUGH:
            continue
        read = char.lower() if char.isascii() else unicodedata.normalize("NFKC", char).casefold()
        folded.append(read)
        origin.extend([index] * len(read))
    return "".join(folded), origin


def _insert(runs: Sequence[str], cuts: Sequence[int]) -> Iterator[str]:
    """`runs` with a joiner at each of `cuts`, offsets into their concatenation."""
    start = 0
    pending = list(reversed(cuts))
    for run in runs:
        end = start + len(run)
        parts: list[str] = []
        at = start
        while pending and pending[-1] <= end:
            cut = pending.pop()
            parts.append(run[at - start : cut - start] + JOINER)
            at = cut
        yield "".join(parts) + run[at - start :]
        start = end


def size(text: str) -> int:
    """Length in UTF-16 units: Slack does not say what it counts, and this is the most it can be."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "replace")) // 2


def fitting(text: str, room: int) -> int:
    """How many leading characters of `text` fit in `room` UTF-16 units, whole graphemes if possible."""
    if size(text) <= room:
        return len(text)
    count = len(text.encode("utf-16-le", "replace")[: max(room, 0) * 2].decode("utf-16-le", "ignore"))
    # Where the grapheme begins that does not fit whole.
    boundary = wcwidth.grapheme_boundary_before(text, count + 1)
    # What is longer is no letter of any language; it is cut like any text.
    return boundary if boundary > count - _LONGEST_GRAPHEME and boundary else count


def cut(text: str, limit: int) -> str:
    """`text` within `limit`; what was longer ends in an ellipsis, between graphemes."""
    if size(text) <= limit:
        return text
    return text[: fitting(text, limit - 1)].rstrip() + ELLIPSIS


def escape(text: str) -> str:
    """Text that people or models wrote, for a mrkdwn field: cleaned, defused, and & < > escaped.

    A fence of code would swallow what stands behind it.
    """
    return entities(defuse(clean(text))).replace("```", f"``{JOINER}`")


def entities(text: str) -> str:
    """The three signs that Slack asks to escape (docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
