"""Korean particles after words that are filled in: 요약을 but 번역기를, 서울로 but 부산으로.

Which form is right hangs on how the word ends when it is spoken. Digits and Latin letters are taken by their Korean
reading; where a reading cannot be told, both forms are written, as Korean forms do: 을(를).
"""

import re
from typing import Literal

# After a consonant, after a vowel.
FORMS = {
    "을": ("을", "를"),
    "은": ("은", "는"),
    "이": ("이", "가"),
    "과": ("과", "와"),
    "으로": ("으로", "로"),
}

Ending = Literal["vowel", "consonant", "ㄹ"]

# 영 일 이 삼 사 오 육 칠 팔 구; 십, 백, 천, 만 and 억 end in a consonant as 영 does.
_DIGITS: dict[str, Ending] = {
    **dict.fromkeys("036", "consonant"),
    **dict.fromkeys("178", "ㄹ"),
    **dict.fromkeys("2459", "vowel"),
}
# 엘 and 알, 엠 and 엔; every other letter's name ends in a vowel.
_LETTERS: dict[str, Ending] = {**dict.fromkeys("lr", "ㄹ"), **dict.fromkeys("mn", "consonant")}
# What stands around a word and is not spoken.
_SILENT = re.compile(r"[\s`*_~<>()\[\]\"'.,:;!?…”’]+$")
_LATIN = re.compile(r"[A-Za-z]+$")
_FIRST_SYLLABLE, _LAST_SYLLABLE, _FINALS, _RIEUL = 0xAC00, 0xD7A3, 28, 8


def particle(word: str, form: str) -> str:
    """The particle `form` (the one after a consonant: 을, 은, 이, 과, 으로) as it is after `word`."""
    after_consonant, after_vowel = FORMS[form]
    match ending(word):
        case "vowel":
            return after_vowel
        case "consonant":
            return after_consonant
        case "ㄹ":
            return after_vowel if form == "으로" else after_consonant
        case None:
            return "(으)로" if form == "으로" else f"{after_consonant}({after_vowel})"


def ending(word: str) -> Ending | None:
    """How a word ends when a Korean speaker reads it out; None: nobody can tell."""
    spoken = _SILENT.sub("", word)
    last = spoken[-1:]
    if last and _FIRST_SYLLABLE <= ord(last) <= _LAST_SYLLABLE:
        final = (ord(last) - _FIRST_SYLLABLE) % _FINALS
        return "vowel" if final == 0 else "ㄹ" if final == _RIEUL else "consonant"
    if last in _DIGITS:
        return _DIGITS[last]
    if latin := _LATIN.search(spoken):
        return _latin(latin[0])
    return None


def _latin(word: str) -> Ending:
    """GPT is read letter by letter, main as a word: 메인. Words end as Korean writes such loans down."""
    letters = word.lower()
    if word.isupper() or not re.search("[aeiouy]", letters):
        return _LETTERS.get(letters[-1], "vowel")
    if letters.endswith("l"):
        return "ㄹ"
    # 메인, 팀, 킹; and after a short vowel 봇, 챗, 그룹, 슬랙 (but 테스트, 노트).
    closed = letters.endswith(("m", "n", "ng")) or re.search("[aeiou](?:[bkpt]|ck)$", letters)
    return "consonant" if closed else "vowel"
