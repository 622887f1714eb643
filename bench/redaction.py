"""Redaction: which of the values in labelled texts are hidden, and what else is, kind by kind, on the held-out half."""

import base64
import pathlib
import random
import re
import string
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.say import Say
from tasks.text import private

LINES = pathlib.Path(__file__).parent / "data" / "redaction.txt"
SPLIT_SEED = 20260117
# Times that each line is filled with other values.
FILLINGS = 20
PARTS = ("held_out", "hard", "dev")
_SLOT = re.compile(r"\{([A-Z]+)(?:\.(\w+))?\}")

Values = dict[str, Callable[[random.Random], str]]


@dataclass(frozen=True)
class Labelled:
    """A text, and where its values are: (start, end, kind)."""

    text: str
    labels: frozenset[tuple[int, int, str]]


def measure(draw: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """Counts per kind on the held-out lines and the hard ones; on the others too, to see how far tuning went."""
    parts = {name: score(texts(name, draw, 4 if quick else FILLINGS)) for name in PARTS}
    for name, part in parts.items():
        say(f"{name}: {part['all']}")
    long = "\n".join(one.text for one in texts("dev", draw, 40))
    begun = time.perf_counter()
    private.find(long, private.EVERY)
    seconds = time.perf_counter() - begun
    return {
        **parts,
        "lines": {name: len(lines(name)) for name in PARTS},
        "characters_per_second": len(long) / seconds,
    }


def lines(name: str) -> list[str]:
    """The lines of a part, values still to be filled in: of each kind of line every other one is held out."""
    easy, _, hard = (_groups(part) for part in LINES.read_text().partition("!hard\n"))
    if name == "dev":
        return [line for group in (*easy, *hard) for line in group[::2]]
    return [line for group in (hard if name == "hard" else easy) for line in group[1::2]]


def _groups(part: str) -> list[list[str]]:
    """Lines whose first value is of the same kind, in random order."""
    groups: dict[str, list[str]] = defaultdict(list)
    for line in part.splitlines():
        if line and not line.startswith("#"):
            slot = _SLOT.search(line)
            groups[slot[0] if slot else ""].append(line.replace("\\n", "\n"))
    for key, group in groups.items():
        random.Random(f"{SPLIT_SEED} {key}").shuffle(group)
    return [groups[key] for key in sorted(groups)]


def texts(name: str, draw: random.Random, fillings: int) -> list[Labelled]:
    """The lines of a part, each filled with values made up anew."""
    return [_filled(line, draw) for line in lines(name) for _ in range(fillings)]


def _filled(line: str, draw: random.Random) -> Labelled:
    parts: list[str] = []
    labels = set()
    at = size = 0
    for slot in _SLOT.finditer(line):
        value = MAKERS[slot[1]][slot[2] or ""](draw)
        parts += [line[at : slot.start()], value]
        size += slot.start() - at
        labels.add((size, size + len(value), slot[1]))
        size += len(value)
        at = slot.end()
    return Labelled("".join([*parts, line[at:]]), frozenset(labels))


def score(given: list[Labelled]) -> dict[str, Any]:
    """Per kind: values, found exactly, hidden (whole, under whatever name), and hidden though it was no value."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in given:
        found = {(each.start, each.end, each.kind.value) for each in private.find(one.text, private.EVERY)}
        for start, end, kind in one.labels:
            counts[kind]["values"] += 1
            counts[kind]["exact"] += (start, end, kind) in found
            counts[kind]["hidden"] += any(s <= start and end <= e for s, e, _ in found)
        for start, end, kind in found - one.labels:
            counts[kind]["beside"] += 1
            counts[kind]["wrong"] += not any(s < end and start < e for s, e, _ in one.labels)
    names = ("values", "exact", "hidden", "beside", "wrong")
    kinds = {kind: {name: counts[kind][name] for name in names} for kind in sorted(counts)}
    return {"kinds": kinds, "all": {name: sum(each[name] for each in kinds.values()) for name in names}}


# Values made up


def _digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choices(string.digits, k=count))


def _word(draw: random.Random, letters: str, least: int, most: int | None = None) -> str:
    return "".join(draw.choices(letters, k=draw.randint(least, most or least)))


def _formed(*patterns: str) -> Callable[[random.Random], str]:
    """`d` is any digit, `n` one from 2 to 9, `U` a capital; all else stands for itself."""

    def make(draw: random.Random) -> str:
        kinds = {"d": string.digits, "n": "23456789", "U": string.ascii_uppercase}
        pattern = draw.choice(patterns)
        return "".join(draw.choice(kinds[sign]) if sign in kinds else sign for sign in pattern)

    return make


def _resident(genders: str) -> Callable[[random.Random], str]:
    def make(draw: random.Random) -> str:
        gender = draw.choice(genders)
        year = draw.randint(50, 99) if gender in "1256" else draw.randint(0, 24)
        twelve = f"{year:02}{draw.randint(1, 12):02}{draw.randint(1, 28):02}{gender}{_digits(draw, 5)}"
        weighted = sum(
            int(digit) * weight for digit, weight in zip(twelve, (*range(2, 10), *range(2, 6)), strict=True)
        )
        # Numbers given out since October 2020 have no check digit.
        last = str((11 - weighted % 11) % 10) if draw.random() < 0.7 else draw.choice(string.digits)
        return f"{twelve[:6]}-{twelve[6:]}{last}"

    return make


def _luhn(
    prefixes: tuple[str, ...], size: int, groups: tuple[int, ...], separators: str
) -> Callable[[random.Random], str]:
    def make(draw: random.Random) -> str:
        prefix = draw.choice(prefixes)
        number = prefix + _digits(draw, size - len(prefix) - 1)
        doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(number))]
        number += str(-sum(value - 9 * (value > 9) for value in doubled) % 10)
        separator, at, parts = draw.choice(separators) if separators else "", 0, []
        for group in groups:
            parts.append(number[at : at + group])
            at += group
        return separator.join(parts)

    return make


def _business(draw: random.Random) -> str:
    nine = draw.choice("123456") + _digits(draw, 8)
    total = sum(int(digit) * weight for digit, weight in zip(nine, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=True))
    last = (10 - (total + int(nine[8]) * 5 // 10) % 10) % 10
    return f"{nine[:3]}-{nine[3:5]}-{nine[5:]}{last}"


def _iban(draw: random.Random) -> str:
    country, size = draw.choice([("DE", 18), ("FR", 23), ("GB", 18), ("NL", 14)])
    bank = _word(draw, string.ascii_uppercase, 4) if country in {"GB", "NL"} else ""
    body = bank + _digits(draw, size - len(bank))
    number = int("".join(str(int(sign, 36)) for sign in f"{body}{country}00"))
    whole = f"{country}{98 - number % 97:02}{body}"
    return " ".join(re.findall(".{1,4}", whole)) if draw.random() < 0.6 else whole


def _email(draw: random.Random) -> str:
    names = (
        "minsu",
        "j.doe",
        "kim_hn",
        "Dana.Lee",
        "support",
        "sales+kr",
        "a.b-c",
        "hong.gildong",
        "x99",
        "mpark",
    )
    hosts = (
        "example.com",
        "corp.co.kr",
        "mail.example.org",
        "hanmail.net",
        "sub.domain.io",
        "univ.ac.kr",
        "acme.dev",
    )
    return f"{draw.choice(names)}{draw.choice(['', '', _digits(draw, 3)])}@{draw.choice(hosts)}"


def _ipv4(draw: random.Random) -> str:
    first = draw.choice((10, 172, 192, 203, 211, 8, 52, 121))
    return ".".join(map(str, (first, *(draw.randint(0, 255) for _ in range(2)), draw.randint(1, 254))))


def _ipv6(draw: random.Random) -> str:
    groups = [f"{draw.getrandbits(16):x}" for _ in range(6)]
    return "2001:db8:" + (
        ":".join(groups) if draw.random() < 0.5 else f"{groups[0]}:{groups[1]}::{groups[2]}"
    )


_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"


def _jwt(draw: random.Random) -> str:
    return ".".join(("eyJhbGciOiJIUzI1NiJ9", f"eyJ{_word(draw, _ALNUM, 40)}", _word(draw, _ALNUM + "-_", 43)))


def _pem(draw: random.Random) -> str:
    return "\n".join(base64.b64encode(draw.randbytes(48)).decode() for _ in range(4))


def _password(draw: random.Random) -> str:
    words = ("Tr0ub4dor", "Summer", "qwer", "hunter", "P@ss", "Blue-Horse", "dlsxjspt", "Seoul")
    return draw.choice(words) + _digits(draw, draw.randint(2, 4)) + draw.choice(["", "!", "#1", "%x", "!!"])


def _generic(draw: random.Random) -> str:
    return _word(draw, _HEX, 32, 40) if draw.random() < 0.4 else _word(draw, _ALNUM + "-_", 24, 48)


MAKERS: dict[str, Values] = {
    "PHONE": {
        "kr": _formed(
            "010-dddd-dddd", "010-dddd-dddd", "010.dddd.dddd", "010 dddd dddd", "010dddddddd", "011-ddd-dddd"
        ),
        "krplain": _formed("010dddddddd"),
        "line": _formed(
            "02-ddd-dddd", "02-dddd-dddd", "031-ddd-dddd", "051-ddd-dddd", "02)ddd-dddd", "(02) dddd-dddd"
        ),
        "safe": _formed("0504-dddd-dddd", "0507-dddd-dddd"),
        "voip": _formed("070-dddd-dddd"),
        "intl82": _formed("+82 10-dddd-dddd", "+82-10-dddd-dddd", "+82 2-dddd-dddd", "+82 10 dddd dddd"),
        "us": _formed(
            "(ndd) ndd-dddd",
            "ndd-ndd-dddd",
            "ndd.ndd.dddd",
            "+1 ndd-ndd-dddd",
            "1-800-ndd-dddd",
            "+1 (ndd) ndd-dddd",
        ),
        "e164": _formed(
            "+1nddndddddd", "+49176dddddddd", "+81 90 dddd dddd", "+65 9ddd dddd", "+33 6 dd dd dd dd"
        ),
        "uk": _formed("+44 20 7ddd dddd", "020 7ddd dddd", "07700 900ddd", "+44 7700 900ddd"),
    },
    "RESIDENT": {"": _resident("1234"), "foreign": _resident("5678")},
    "SSN": {"": _formed("1nd-2d-3ddd", "5nd-1d-4ddd", "0n1-7d-1ddd")},
    "ACCOUNT": {
        "kr": _formed(
            "dddddd-dd-dddddd",
            "110-ddd-dddddd",
            "1002-ddd-dddddd",
            "301-dddd-dddd-dd",
            "dddddddddddd",
            "ddd-dddddd-ddddd",
        ),
        "kakao": _formed("3333-dd-ddddddd", "3333dddddddd1"),
        "iban": _iban,
        "us": _formed("ddddddddd", "dddddddddddd"),
    },
    "CARD": {
        "": _luhn(("4", "51", "9410", "5327"), 16, (4, 4, 4, 4), "--- "),
        "plain": _luhn(("4", "54"), 16, (16,), ""),
        "amex": _luhn(("34", "37"), 15, (4, 6, 5), "- "),
    },
    "BUSINESS": {"": _business},
    "PASSPORT": {
        "kr": _formed("Mdddddddd", "MdddUdddd"),
        "intl": _formed("Udddddddd", "ddddddddd", "UUddddddd"),
    },
    "LICENCE": {
        "": _formed("11-dd-dddddd-dd", "26-dd-dddddd-dd", "13-dd-dddddd-dd"),
        "us": _formed("Uddddddd", "Udddddddd"),
    },
    "EMAIL": {"": _email},
    "IP": {"": _ipv4, "v6": _ipv6},
    "KEY": {
        "slack": lambda draw: (
            f"xox{draw.choice('bp')}-{_digits(draw, 12)}-{_digits(draw, 13)}-{_word(draw, _ALNUM, 24)}"
        ),
        "slackapp": lambda draw: (
            f"xapp-1-A{_word(draw, _ALNUM.upper(), 10)}-{_digits(draw, 13)}-{_word(draw, _HEX, 64)}"
        ),
        "webhook": lambda draw: "/".join(
            ("T" + _word(draw, "ABCD0123", 8), "B" + _word(draw, "ABCD0123", 10), _word(draw, _ALNUM, 24))
        ),
        "aws": lambda draw: "AKIA" + _word(draw, string.ascii_uppercase + "234567", 16),
        "awssecret": lambda draw: _word(draw, _ALNUM + "/+", 40),
        "github": lambda draw: "ghp_" + _word(draw, _ALNUM, 36),
        "openai": lambda draw: draw.choice(["sk-", "sk-proj-"]) + _word(draw, _ALNUM, 48),
        "google": lambda draw: "AIza" + _word(draw, _ALNUM + "-_", 35),
        "stripe": lambda draw: "sk_live_" + _word(draw, _ALNUM, 24),
        "jwt": _jwt,
        "pem": _pem,
        "password": _password,
        "generic": _generic,
    },
}


def missed(name: str, fillings: int = 5) -> Iterator[str]:
    """For tuning, on `dev` alone: each text with what was not found or found beside."""
    for one in texts(name, random.Random(1), fillings):
        found = {(each.start, each.end, each.kind.value) for each in private.find(one.text, private.EVERY)}
        if found != one.labels:
            lost = [(kind, one.text[s:e]) for s, e, kind in sorted(one.labels - found)]
            more = [(kind, one.text[s:e]) for s, e, kind in sorted(found - one.labels)]
            yield f"{one.text!r}\n   missed {lost}\n   beside {more}"
