"""Makes a server's error message fit for logs: servers quote the request in it, so prompts could get out."""

import re
from collections.abc import Sequence

LONGEST = 200  # characters of a detail

_READ = 600  # characters of a message that are looked at
_TOKEN = re.compile(r"\w+")
_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[nrt]")
_SECRET = re.compile(r"\b(?:sk|pk|hf|xox[a-z]|Bearer)[-_ ][\w\-*.]+", re.IGNORECASE)
_BLANKS = re.compile(r"(?:…[\s\W]*){2,}")

# Words of the servers' own messages: one of them alone says nothing about a prompt that also has it.
_OWN_WORDS = (
    "the and for not are was has does with that this your you please try later again error model models server "
    "request requests exist found context size length maximum limit limits exceeds available tokens token input "
    "inputs prompt contains however requested output completion messages key api invalid unauthorized memory out "
    "cuda gpu allocate allocated device failed engine currently busy cannot accept new instance queue full "
    "overloaded rate reached loading unavailable service internal processing while had must number"
)
_OWN = frozenset(_OWN_WORDS.split())


def detail(message: str, said: Sequence[str], secret: str = "") -> str:
    """The message without any word that stands in what was `said` or in the `secret`, at most LONGEST long.

    Everything that is not plain ASCII goes too: servers write English, so the rest is quoted.
    """
    message = _SECRET.sub("…", _ESCAPE.sub("…", message[:_READ]))
    heard = "\n".join(said).casefold()

    def keep(match: re.Match[str]) -> str:
        word = match.group().casefold()
        known = len(word) < 3 and not word.isdigit()
        own = word in _OWN or known
        private = (
            not word.isascii() or (not own and word in heard) or (len(word) > 5 and word in secret.casefold())
        )
        return "…" if private else match.group()

    clean = "".join(
        char if char.isprintable() and (char.isascii() or char == "…") else "…" for char in message
    )
    return _BLANKS.sub("… ", _TOKEN.sub(keep, clean)).strip()[:LONGEST]
