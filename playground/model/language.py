"""Sentences and words of English and Korean, without any model or downloaded data.

`Tokenizer` has the two methods that sumy asks of a tokenizer (sumy/nlp/tokenizers.py), so that sumy's own, which
needs NLTK data and a morphological analyser for Korean, is not used.
"""

import re

LONGEST_SENTENCE = 300  # characters; an extract of longer ones would be hard to read

_HANGUL = re.compile(r"[가-힣]")
_LETTER = re.compile(r"[^\W\d_]")
_BULLET = re.compile(r"^\s*(?:[-*+•‣▪◦·○●■□▶]|\(?\d{1,3}[.)]|[가-하][.)])\s+|^\s*>\s?")
_HEADING = re.compile(r"^\s*#{1,6}\s|^\s*(?:[=\-_*]\s*){3,}$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
# An end mark with its closing quotes, then a space or the end; the CJK marks need no space after them.
_END = re.compile(r"(?:[.!?…]+[\"'”’)\]」』]*(?=\s|$)|[。！？]+[”’」』]*|(?<=[다요죠])\.(?=[가-힣]))")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|sr|jr|st|vs|etc|no|fig|eq|vol|pp|inc|ltd|corp|co|approx|dept|est|gov|sen|rep|"
    r"jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|e\.g|i\.e|cf|al|u\.s|u\.k|a\.m|p\.m)|\b[A-Za-z])\.$",
    re.IGNORECASE,
)
_NUMBERING = re.compile(r"(?:^|\s)\d{1,3}\.$")
_WRAPPED = 40  # characters; a line at least this long without an end mark goes on in the next one

_WORD = re.compile(r"[a-z0-9]+|[가-힣]+|[\u3040-\u30ff\u4e00-\u9fff]")
# The commonest particles and endings, longest first: enough to make forms of one noun look alike.
_KOREAN_TAIL = re.compile(
    r"(?:이라고|에서는|으로는|에게서|까지는|부터는|이라는|했습니다|합니다|됩니다|입니다|습니다|였습니다|이었다|"
    r"에서|에게|으로|까지|부터|보다|처럼|라고|라는|하는|되는|했다|한다|된다|됐다|였다|이다|하고|하며|하여|해서|"
    r"하기|하게|지만|이나|이며|들은|들이|들을|들의|은|는|이|가|을|를|의|에|로|와|과|도|만|께|들)$"
)
_ENGLISH_TAIL = re.compile(r"(?:'s|ies|ing|edly|ed|es|s|ly)$")
_STOP_WORDS = (
    "a an and are as at be been but by can could did do does for from had has have he her him his how i if in into "
    "is it its may more most my no not of on one or our out over she should so some such than that the their them "
    "then there these they this those to too up us was we were what when where which who will with would you your "
    "그 이 저 것 수 등 및 더 또 또한 그리고 그러나 하지만 그런데 있다 있는 있습니다 없다 한 할 하는 했다 된 될 되는 위해 대한 "
    "대해 통해 따라 매우 가장 모든 이런 그런 우리 때 때문"
)
_STOP = frozenset(_STOP_WORDS.split())


def is_korean(text: str) -> bool:
    """Whether at least a fifth of the letters are Hangul: Korean texts carry many Latin names."""
    hangul = len(_HANGUL.findall(text))
    return hangul * 5 >= len(_LETTER.findall(text)) and hangul > 0


class Tokenizer:
    """Sentences and words, for sumy."""

    language = "english and korean"

    def to_sentences(self, paragraph: str) -> tuple[str, ...]:
        """The sentences of a text, in order, without bullets, headings and lines that are not prose."""
        units = [unit for line in _paragraphs(paragraph) for unit in _split(line)]
        prose = tuple(unit for unit in units if _is_prose(unit))
        return prose or tuple(units)

    def to_words(self, sentence: str) -> tuple[str, ...]:
        """What two sentences are compared by: English stems, and Korean nouns in pieces of two syllables."""
        words: list[str] = []
        for word in _WORD.findall(sentence.lower()):
            if word not in _STOP:
                words.extend(_korean(word) if _HANGUL.match(word) else _english(word))
        return tuple(words)


def _paragraphs(text: str) -> list[str]:
    """Lines with hard wrapping undone: a long line without an end mark goes on in the next."""
    joined: list[str] = []
    open_end = fenced = False
    for line in text.splitlines():
        bare = line.strip()
        if _FENCE.match(line):
            fenced, open_end = not fenced, False
        elif fenced or not bare or _HEADING.match(line):
            open_end = False
        elif open_end and not _BULLET.match(line):
            joined[-1] += " " + bare
            open_end = len(bare) >= _WRAPPED and not _END.search(bare[-3:])
        else:
            joined.append(_BULLET.sub("", line, count=1).strip())
            open_end = len(bare) >= _WRAPPED and not _END.search(bare[-3:])
    return joined


def _split(line: str) -> list[str]:
    sentences: list[str] = []
    start = 0
    for match in _END.finditer(line):
        before = line[max(start, match.start() - 12) : match.start() + 1]
        if match.group() == "." and (
            _ABBREVIATION.search(before) or _NUMBERING.search(line[start : match.end()])
        ):
            continue
        sentences.append(line[start : match.end()].strip())
        start = match.end()
    sentences.append(line[start:].strip())
    return [part for sentence in sentences if sentence for part in _shortened(sentence)]


def _shortened(sentence: str) -> list[str]:
    """A sentence too long to quote, cut at spaces; text without end marks is such a sentence."""
    parts: list[str] = []
    while len(sentence) > LONGEST_SENTENCE:
        cut = sentence.rfind(" ", LONGEST_SENTENCE // 2, LONGEST_SENTENCE)
        cut = LONGEST_SENTENCE if cut < 0 else cut
        parts.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*parts, sentence] if sentence else parts


def _is_prose(unit: str) -> bool:
    """Letters for the most part, and more than a word or two: not a table row, a number, a greeting."""
    letters = len(_LETTER.findall(unit))
    return letters * 2 > len(unit.replace(" ", "")) and letters >= (6 if _HANGUL.search(unit) else 8)


def _korean(word: str) -> list[str]:
    stem = _KOREAN_TAIL.sub("", word) if len(word) > 2 else word
    stem = stem if len(stem) >= 2 else word
    return [stem] if len(stem) <= 2 else [stem[i : i + 2] for i in range(len(stem) - 1)]


def _english(word: str) -> list[str]:
    stem = _ENGLISH_TAIL.sub("", word) if len(word) > 4 else word
    return [stem if len(stem) >= 3 else word]
