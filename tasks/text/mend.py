"""Mending what programs did to a text: letters read in the wrong encoding, ligatures, words broken at line ends."""

import re

import ftfy

# The letters that typesetting draws as one, which no reader searches for (Unicode, Alphabetic Presentation Forms).
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})

# Korean in EUC-KR that was read as Latin-1: two letters a syllable, the first of them from B0 to C8 in hex.
_PAIRS = re.compile("(?<![\xa1-\xfe])(?:[\xa1-\xfe]{2})+(?![\xa1-\xfe])")
_SYLLABLES = re.compile("(?<![\xa1-\xfe])(?:[\xb0-\xc8][\xa1-\xfe]){2,}(?![\xa1-\xfe])")

# PDFium writes a hyphen at a line's end as one of these.
_SOFT_BREAK = re.compile("(?<=\\w)[\x02\ufffe\u00ad](?:\r?\n)?")
_HYPHEN_BREAK = re.compile(r"\b([A-Za-zÀ-ÿ]*[a-zß-ÿ])-\n([a-zß-ÿ]+)")


# No other encoding makes these of anything, and looking for one takes long.
_PLAIN = re.compile("[ -~\uac00-\ud7a3]*")


def is_plain(line: str) -> bool:
    """Whether all of it is printable ASCII and Hangul, where there is nothing to mend."""
    return _PLAIN.fullmatch(line) is not None


def mend(text: str) -> str:
    """`text` with mojibake and ligatures undone. Straight and curly quotes, widths and entities stay as they are."""
    lines = text.split("\n")
    if all(map(is_plain, lines)):
        return text
    # First, for ftfy takes pieces of it for UTF-8.
    lines = [_korean(line) for line in lines]
    return ftfy.fix_encoding("\n".join(lines)).translate(_LIGATURES)


def _korean(line: str) -> str:
    """The line in Hangul if two syllables in a row can only be that: no language of Latin letters has such words."""
    return _PAIRS.sub(_decoded, line) if _SYLLABLES.search(line) else line


def _decoded(found: re.Match[str]) -> str:
    written = found[0].encode("latin-1")
    try:
        written.decode("utf-8")
    except UnicodeDecodeError:
        return written.decode("euc_kr", "replace")
    return found[0]


def joined(text: str) -> str:
    """`text` of a PDF with the words whole that were broken at line ends.

    A hyphen that also stands inside a line somewhere, as in `well-known`, is the word's own and stays.
    """
    text = _SOFT_BREAK.sub("", text)
    words = set(re.findall(r"[A-Za-zÀ-ÿ]+-[a-zß-ÿ]+", text))

    def whole(found: re.Match[str]) -> str:
        hyphenated = f"{found[1]}-{found[2]}"
        return hyphenated if hyphenated in words else found[1] + found[2]

    return _HYPHEN_BREAK.sub(whole, text)
