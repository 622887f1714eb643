"""Which language a text is in: by its script, and for Latin letters by its commonest words."""

import re
from collections import Counter

from tasks.text import clean

# Enough to be sure of, and as little as a long text needs.
_SAMPLE = 20_000
_LEAST_LETTERS = 3

_SCRIPTS = {
    "ja": re.compile("[\u3040-\u30ff]"),
    "ru": re.compile("[\u0400-\u052f]"),
    "el": re.compile("[\u0370-\u03ff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "hi": re.compile("[\u0900-\u097f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}
_HAN = re.compile("[\u3400-\u9fff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1ea0-\u1eff]")

# Words that are common in one of these languages and in few of the others.
_WORDS = {
    "en": "the and of to is was for that with are this have not you it on be we they at",
    "de": "der die das und ist nicht mit ein eine für auf den von zu im sich wird auch dem es",
    "fr": "le la les des et est une dans pour que qui sur pas avec au du nous vous sont ce",
    "es": "el los las y es una por que para con del se al lo como pero está son muy su",
    "pt": "o os as e é uma por que para com do da dos não em um no na mais são",
    "it": "il lo gli e è una per che con del della di non sono anche nel alla più si le",
    "nl": "de het een en is niet van voor met op zijn dat te ook aan bij worden er naar door",
    "vi": "và của là các có được trong cho không một những với người này đã để khi từ theo về",
    "id": "yang dan di untuk dengan pada dari ini itu adalah tidak akan dalam ke oleh juga atau telah kami saya",
}
_VOTES = {code: frozenset(words.split()) for code, words in _WORDS.items()}


def detect(text: str) -> str | None:
    """The ISO 639-1 code of the language of most of `text`, out of the 18 here; None if that is hard to say.

    Korean with many English terms is Korean, as in `clean.language`.
    """
    prose = clean.prose(text[:_SAMPLE])
    if clean.language(prose) == "ko":
        return "ko"
    letters = Counter({code: len(script.findall(prose)) for code, script in _SCRIPTS.items()})
    latin, han = len(_LATIN.findall(prose)), len(_HAN.findall(prose))
    # Japanese is written with Chinese letters between its own.
    letters["ja" if letters["ja"] * 10 >= han and letters["ja"] else "zh"] += han
    code, most = letters.most_common(1)[0]
    if max(most, latin) < _LEAST_LETTERS:
        return None
    return code if most * 2 >= latin else _of_latin(prose)


def _of_latin(prose: str) -> str | None:
    words = Counter(re.findall(r"[^\W\d_]+", prose.lower()))
    votes = Counter({code: sum(words[word] for word in common) for code, common in _VOTES.items()})
    (first, most), (_, second) = votes.most_common(2)
    return first if most > second else None
