"""Bytes as text: UTF-8 and UTF-16, and the older encodings that Korean Windows and its neighbours still write."""

import codecs
import re

from tasks.prepare.extract.problem import Problem

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # Before UTF-16, whose mark it begins with.
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 100_000
# A log that was cut in the middle of a letter, or has a few bytes of something else in it, is UTF-8 all the same.
_FEW = 1000

_FOREIGN = re.compile("[^\x00-\x7f]")
_KANA = re.compile("[\u3040-\u30ff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u2018-\u201f\u2013\u2014\u2026\u20ac]")


def text(data: bytes) -> str:
    """`data` as text; raises Problem if it is none in an encoding that we know."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").removeprefix("\ufeff")
    if (wide := _wide(data)) is not None:
        return data.decode(wide, "replace")
    if b"\x00" in data[:_SAMPLE]:
        raise Problem("unsupported")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _older(data)


def is_text(head: bytes) -> bool:
    """Whether a file that begins so is text, as far as that can be told from its beginning."""
    if any(head.startswith(mark) for mark, _ in _BOMS) or _wide(head) is not None:
        return True
    unseen = sum(byte < 32 and byte not in b"\t\n\r\x0c\x1b\x08" for byte in head)
    return b"\x00" not in head and unseen * 50 <= len(head)


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: its line ends, spaces and digits have a zero on the same side each time."""
    head = data[:_SAMPLE]
    if len(head) < 8:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    # Korean text has few letters below U+0100, and binary files have zeros on both sides.
    if odd * 20 > len(head) and even * 50 < odd:
        return "utf-16-le"
    if even * 20 > len(head) and odd * 50 < even:
        return "utf-16-be"
    return None


def _older(data: bytes) -> str:
    damaged = data.decode("utf-8", "replace")
    if damaged.count("\ufffd") * _FEW <= len(damaged):
        return damaged
    for encoding, looks_right in (("cp949", _is_korean), ("cp932", _is_japanese), ("cp1252", _is_western)):
        decoded = data.decode(encoding, "replace")
        if decoded.count("\ufffd") * _FEW <= len(decoded) and looks_right(decoded[:_SAMPLE]):
            return decoded
    raise Problem("encoding")


def _is_korean(decoded: str) -> bool:
    """Most of what is not ASCII is among the 2,350 syllables in use, which EUC-KR holds; other text hits the rest."""
    foreign = _FOREIGN.findall(decoded)
    common = sum(1 for letter in foreign if "\uac00" <= letter <= "\ud7a3" and _in_use(letter))
    return common * 2 >= len(foreign)


def _in_use(letter: str) -> bool:
    try:
        letter.encode("euc-kr")
    except UnicodeEncodeError:
        return False
    return True


def _is_japanese(decoded: str) -> bool:
    return len(_KANA.findall(decoded)) * 4 >= len(_FOREIGN.findall(decoded))


def _is_western(decoded: str) -> bool:
    """Words with accents in them, not a row of accents."""
    foreign = _FOREIGN.findall(decoded)
    letters = [letter for letter in foreign if _LATIN.match(letter)]
    return len(letters) * 10 >= len(foreign) * 7 and len(foreign) * 3 <= len(decoded)
