"""How many tokens a text costs, estimated without the model's own tokenizer.

The estimate leans high, because a prompt that does not fit is refused by the server and one that is
a little short costs nothing. Measured against the real tokenizers of GPT-4 and Phi-4 (cl100k_base),
GPT-4o and gpt-oss (o200k_base), Llama 3, Qwen 3 and Gemma 3, as estimate / highest of the five and
estimate / lowest of the five:

    ====================================  =========  ========
    text                                  / highest  / lowest
    ====================================  =========  ========
    English prose, notes, chat            1.04-1.15  1.06-1.22
    Korean prose, law, chat               0.94-1.30  1.50-1.82
    Korean mixed with English terms       1.21       1.64
    code (Python, TypeScript, minified)   1.07-1.12  1.23-1.56
    JSON, CSV, logs, URLs, tables         0.95-1.17  1.32-1.69
    Japanese, Chinese                     1.01-1.35  1.53-2.60
    European and Indic languages, Thai    0.85-1.75  1.00-3.78
    emoji, symbols, base64, hex           0.97-1.20  1.06-2.65
    ====================================  =========  ========

Korean is set by cl100k, the dearest of the five for it: up to 1.5 tokens a syllable where the others
take 0.9. The values below 0.9 are Finnish (0.85) and Georgian (0.89). Outside the range: letters,
syllables or ideographs drawn at random (0.5-0.6; no language is like that), and vocabularies with
little Korean, which spell it in bytes: Llama 2 gives 0.83-1.08 here, SmolLM2 0.56-0.66. Such a server's
own `/tokenize` is asked for what does not surely fit (tasks.counting, tasks.plan.fits).
"""

import math
import re
from collections import Counter
from collections.abc import Callable

Count = Callable[[str], int]
"""How many tokens a text costs: `estimate`, or a server's own count (tasks.counting)."""

# A run of one drawing character is few tokens however long: 12 of them count as one.
_RULE = re.compile(r"([-=_*#~.+])\1{5,11}")

# Words are split at changes of case, as the tokenizers' own pre-splitting and merges mostly do.
_LOWER = re.compile(r"[A-Z]?[a-z]+")
_UPPER = re.compile(r"[A-Z]{2,}|[A-Z](?![a-z])")

_RUNS_BY_LENGTH: tuple[tuple[re.Pattern[str], Callable[[int], float]], ...] = (
    # Common words are one token; a "word" of more than 24 letters is an encoding, at 1.9 letters each.
    (_LOWER, lambda n: 1 + max(0, n - 6) / 3.2 if n <= 24 else n / 1.9),
    (_UPPER, lambda n: 0.4 + n / 3.2 if n <= 24 else n / 1.7),
    (re.compile(r"[ \t]{2,}|\t"), lambda n: 0.95 * (1 + n // 16)),
    (re.compile(r"\n+"), lambda n: 0.9 * (1 + n // 16)),
)

_NO_VOWEL = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}")  # Not a word, so 0.7 pieces more.

# Weight of one character. ASCII first: Qwen and Gemma give every digit a token of its own.
_ASCII: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"[0-9]+"), 1.0),
    (re.compile(r"[!-/:-@\[-`{-~]+"), 0.85),
    (re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+"), 1.0),
    (re.compile(r"[A-Za-z0-9+/_-]{40,}"), 0.2),  # On top of its letters: base64, keys, hashes.
)
_BEYOND: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"[\uac00-\ud7a3]+"), 1.5),  # Hangul syllables
    (re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\ud7b0-\ud7ff]+"), 2.0),  # Hangul letters
    (re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+"), 1.4),  # Han
    (re.compile(r"[\u3000-\u30ff\uff00-\uffef\u2000-\u206f]+"), 1.1),  # kana, CJK and general punctuation
    (re.compile(r"[\u0080-\u03ff\u0530-\u07ff]+"), 1.1),  # Latin with accents, Greek, Hebrew, Arabic
    (re.compile(r"[\u0400-\u052f]+"), 0.75),  # Cyrillic
    (re.compile(r"[\u0800-\u10ff\u1200-\u1fff]+"), 1.8),  # Indic scripts, Thai, Georgian, Ethiopic
    (
        re.compile(
            r"[\u2070-\u2fff\u3100-\u312f\u3190-\u33ff\ua000-\ua95f\ua980-\uabff"
            r"\ud800-\uf8ff\ufb00-\ufeff\ufff0-\uffff]+"
        ),
        2.0,  # symbols and rare scripts
    ),
    (re.compile(r"[\U00010000-\U0010ffff]+"), 2.7),  # emoji and everything else, mostly by bytes
)


def estimate(text: str) -> int:
    """The number of tokens that `text` costs, leaning high (see the module's table for how much).

    Takes about 0.1 s for 1 MB of English and 0.25 s for 1,000,000 Korean characters, in linear time.
    """
    drawn = _RULE.sub(".", text)
    total = 0.7 * len(_NO_VOWEL.findall(drawn))
    for run, cost in _RUNS_BY_LENGTH:
        total += sum(cost(n) * times for n, times in Counter(map(len, run.findall(drawn))).items())
    for pattern, weight in _ASCII if text.isascii() else _ASCII + _BEYOND:
        total += weight * sum(map(len, pattern.findall(drawn)))
    return math.ceil(total)
