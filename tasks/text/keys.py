"""Where keys, tokens and passwords stand in a text."""

import math
import re
from collections import Counter
from collections.abc import Iterator

# What says of itself that it is a key. Sources: each service's own documentation, and the rules of gitleaks.
_FORMS = re.compile(
    r"""(?<![A-Za-z0-9])(?:
      xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,250}                    # Slack tokens
    | xapp-\d-[A-Za-z0-9-]{10,250}                                    # Slack app-level tokens
    | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}                             # AWS access key ids
    | gh[pousr]_[A-Za-z0-9]{36,255} | github_pat_[A-Za-z0-9_]{22,255} # GitHub
    | glpat-[A-Za-z0-9_-]{20,100}                                     # GitLab
    | sk-[A-Za-z0-9_-]{20,250}                                        # OpenAI and those who do as it does
    | [sr]k_(?:live|test)_[A-Za-z0-9]{16,100}                         # Stripe
    | AIza[A-Za-z0-9_-]{35}                                           # Google
    | (?:npm|hf)_[A-Za-z0-9]{30,50}                                   # npm, Hugging Face
    | eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}  # JSON Web Tokens
    )(?![A-Za-z0-9])""",
    re.VERBOSE,
)
_WEBHOOK = re.compile(r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{20,200})")
_PEM = re.compile(r"PRIVATE KEY-----\s{0,4}([A-Za-z0-9+/=\s]{40,10000}?)\s{0,4}-----END")
_IN_ADDRESS = re.compile(r"://[^\s:/@]{1,64}:([^\s/@]{3,128})@")

_VALUE = r"[\"'`]{0,3}([^\s\"'`<>{}()\[\]|,;\\]{6,400})"
_QUOTE = "[\"'`]{0,3}"
# `password=x`, `password is x`, `password x`: what follows must look like one.
_PASSWORD = re.compile(
    rf"(?:pass(?:word|wd|phrase)?|(?<![a-z])pw|pwd|비밀번호|비번|암호|패스워드){_QUOTE}"
    rf"(?:[ \t]{{0,3}}[:=][ \t]{{0,3}}|[은는]?[ \t]{{1,3}}(?:is[ \t])?){_VALUE}",
    re.IGNORECASE,
)
# `api_key=x`, `Bearer x`, `my token is x`, `use this key for now: x`.
_NAMED = re.compile(
    rf"(?:key|secret|token|credential|signature|bearer|토큰|시크릿|키)(?:[_ -]?(?:id|value|key))?{_QUOTE}"
    rf"(?:(?:[ \t]\w{{1,12}}){{0,3}}[ \t]{{0,3}}[:=][ \t]{{0,3}}|[은는]?[ \t]{{1,3}}(?:is[ \t])?){_VALUE}",
    re.IGNORECASE,
)
_FOR_CURL = re.compile(rf"[ \t](?:-u|--user)[ \t=]{{1,3}}{_QUOTE}[^\s:]{{1,64}}:{_VALUE}")
_NEXT_PARAMETER = re.compile(r"&\w{1,40}=")
_FAKE = re.compile(r"your|example|changeme|placeholder|x{4}|\*{3}|\.{3}|^\$|^%", re.IGNORECASE)
# Bits a character: prose has less than 3 over 16 letters and more, hexadecimal of this length about 3.5.
_LEAST_ENTROPY = 3.0


def find(text: str) -> Iterator[tuple[int, int]]:
    """The spans of keys, in no order; they may overlap."""
    yield from (found.span() for found in _FORMS.finditer(text))
    for pattern in (_WEBHOOK, _PEM, _IN_ADDRESS):
        yield from (found.span(1) for found in pattern.finditer(text))
    for pattern, looks_right in ((_PASSWORD, _is_password), (_FOR_CURL, _is_password), (_NAMED, _is_key)):
        for found in pattern.finditer(text):
            start, end = found.span(1)
            value = _NEXT_PARAMETER.split(found[1])[0].rstrip(".:?")
            if looks_right(value) and not _FAKE.search(value):
                yield start, min(end, start + len(value))


def _is_password(value: str) -> bool:
    return len(value) >= 6 and bool(re.search(r"[0-9]", value) and re.search(r"[A-Za-z]", value))


def _is_key(value: str) -> bool:
    if len(value) < 16 or not re.search(r"[0-9]", value) or not re.fullmatch(r"[\w+/=.~-]+", value, re.ASCII):
        return False
    share = [times / len(value) for times in Counter(value).values()]
    return -sum(part * math.log2(part) for part in share) >= _LEAST_ENTROPY
