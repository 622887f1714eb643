"""Where values that should not leave the house stand in a text: people's numbers and addresses, and keys."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import maskingtape
from maskingtape import detectors

from tasks.text import keys
from tasks.text.kind import Kind

EVERY = frozenset(Kind)


@dataclass(frozen=True)
class Found:
    """`text[start:end]` is a value of that kind."""

    start: int
    end: int
    kind: Kind


def find(text: str, kinds: frozenset[Kind]) -> list[Found]:
    """The values of these kinds in `text`, in order; where two overlap, what either covers is one value.

    Digits in full width and dashes of other sorts are read as what they look like.
    """
    pipeline = maskingtape.Pipeline(detectors=_detectors(kinds))
    found = (Found(each.start, each.end, Kind(each.kind)) for each in pipeline.scan(text))
    return [each for each in found if each.end > each.start]


# maskingtape knows the Korean kinds, with their checksums and the words around them.
_KOREAN: dict[Kind, type[detectors.Detector]] = {
    Kind.RESIDENT: detectors.RRNDetector,
    Kind.PHONE: detectors.PhoneDetector,
    Kind.ACCOUNT: detectors.AccountDetector,
    Kind.CARD: detectors.CreditCardDetector,
    Kind.BUSINESS: detectors.BusinessRegistrationDetector,
    Kind.PASSPORT: detectors.PassportDetector,
    Kind.LICENCE: detectors.DriverLicenseDetector,
    Kind.EMAIL: detectors.EmailDetector,
}

Spans = Callable[[str], Iterable[tuple[int, int]]]


class _Detector(detectors.Detector):
    """What finds spans, as maskingtape wants it."""

    def __init__(self, kind: Kind, spans: Spans, confidence: float) -> None:
        self.kind = kind
        self._spans = spans
        self._confidence = confidence

    def detect(self, text: str) -> list[maskingtape.Detection]:
        return [
            maskingtape.Detection(self.kind, start, end, text[start:end], self._confidence)
            for start, end in self._spans(text)
        ]


def _korean(kind: Kind) -> Spans:
    detector = _KOREAN[kind]()

    def spans(text: str) -> Iterator[tuple[int, int]]:
        for each in detector.detect(text):
            start = each.start
            if kind is Kind.CARD and each.text[0] == "0":  # ISO 7812: no issuer of cards begins so.
                continue
            if kind is Kind.PHONE and _GOES_ON.match(text, each.end):
                continue
            if kind is Kind.EMAIL:
                if _IN_ADDRESS.search(text, max(0, start - 80), start):
                    continue
                # A particle, or a word without a space, before the address.
                start += len(_HANGUL_BEFORE.match(each.text)[0])  # type: ignore[index]  # It matches nothing too.
            yield start, each.end

    return spans


_GOES_ON = re.compile("-[A-Za-z0-9]")  # A part's number, not a telephone's.
_IN_ADDRESS = re.compile(r"://[^\s/]*$")
_HANGUL_BEFORE = re.compile(r"(?:[가-힣]+(?=[A-Za-z0-9]))?")

# A particle follows a number without a space in Korean: only ASCII letters beside it make it part of a longer name.
# Numbering plans: NANP; the UK's national format; E.164 with its plus sign, Korea aside.
_PHONES = (
    re.compile(r"(?<![\w.-])(?:\+?1[ .-])?\([2-9]\d\d\) ?[2-9]\d\d[ .-]\d{4}(?![\w-])", re.ASCII),
    re.compile(r"(?<![\w.-])(?:\+?1[ .-])?[2-9]\d\d([.-])[2-9]\d\d\1\d{4}(?![\w-])", re.ASCII),
    re.compile(r"(?<![\w.-])\+?1[ .-][2-9]\d\d[ .-][2-9]\d\d[ .-]\d{4}(?![\w-])", re.ASCII),
    re.compile(
        r"(?<![\w-])0(?:2\d \d{4} \d{4}|7\d{3} \d{6}|1\d{3} \d{6}|1\d\d \d{3} \d{4})(?![\w-])", re.ASCII
    ),
    re.compile(
        r"(?<![\w+])\+(?!82)[1-9]\d{0,2}(?:[ .-]?\(0?\d{1,4}\))?(?:[ .-]?\d{1,12}){1,6}(?!\d)", re.ASCII
    ),
)
_PHONE_DIGITS = range(8, 16)

# Social Security: no area 000, 666 or 9xx, no group 00, no serial 0000.
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])", re.ASCII)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_ACCOUNT = re.compile(r"\baccount(?: number| no\.?| #)?[: \t]{1,3}(\d{8,17})(?!\d)", re.IGNORECASE)
# maskingtape looks for the bank before the number; people also write it after.
_BEFORE_BANK = re.compile(
    r"(?<![\w-])(\d{3,6}-\d{2,6}-\d{3,7}(?:-\d{1,3})?)[ \t]{0,2}"
    "(?:국민|신한|우리|하나|농협|기업|카카오|토스|케이|새마을|우체국|수협|신협|SC|씨티|부산|대구|광주|전북|경남|제주)"
)
_PASSPORT = re.compile(
    r"\bpassport(?: number| no\.?| #)?(?: is)?[:# \t]{0,3}([A-Z]{0,2}\d{6,9})(?![A-Za-z0-9])", re.IGNORECASE
)
_LICENCE = re.compile(
    r"\blicen[cs]e(?: number| no\.?| #)?(?: is)?[:# \t]{1,3}([A-Z]{0,2}\d{6,12})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"(?<![\w.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w-]|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])", re.ASCII)
_VERSION = re.compile(
    r"(?:version|ver|chapter|section|release|firmware|build|버전|펌웨어|빌드|절|장)[.: v]{0,3}$",
    re.IGNORECASE,
)
# They are the same on every machine.
_NOBODYS = re.compile(r"127\.|0\.0\.0\.0$|255\.255\.255\.")


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _PHONES:
        for found in pattern.finditer(text):
            if sum(map(str.isdigit, found[0])) in _PHONE_DIGITS:
                yield found.span()


def _accounts(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_ACCOUNT, _BEFORE_BANK):
        yield from (found.span(1) for found in pattern.finditer(text))
    for found in _IBAN.finditer(text):
        whole = found[0]
        # Capitals that follow may belong to the next word.
        ends = [len(whole), *(space.start() for space in reversed(list(re.finditer(" ", whole))))]
        end = next((end for end in ends if _is_iban(whole[:end])), None)
        if end is not None:
            yield found.start(), found.start() + end


def _is_iban(written: str) -> bool:
    """ISO 13616: the remainder by 97 is 1."""
    number = written.replace(" ", "")
    return (
        len(number) >= 15 and int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1
    )


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for found in _IPV4.finditer(text):
        version = _VERSION.search(text, max(0, found.start() - 12), found.start())
        if not version and not _NOBODYS.match(found[0]):
            yield found.span()
    for found in _IPV6.finditer(text):
        try:
            address = ipaddress.IPv6Address(found[0])
        except ValueError:
            continue
        if not address.is_loopback and found[0].count(":") > 2:
            yield found.span()


def _group(pattern: re.Pattern[str], number: int) -> Spans:
    return lambda text: (found.span(number) for found in pattern.finditer(text))


# Where two overlap, the kind is that of the surer one.
_OURS: tuple[tuple[Kind, Spans, float], ...] = (
    (Kind.KEY, keys.find, 1.0),
    (Kind.PHONE, _phones, 0.8),
    (Kind.SSN, _group(_SSN, 0), 0.7),
    (Kind.ACCOUNT, _accounts, 0.95),
    (Kind.PASSPORT, _group(_PASSPORT, 1), 0.9),
    (Kind.LICENCE, _group(_LICENCE, 1), 0.9),
    (Kind.IP, _addresses, 0.9),
)
_SURE = {Kind.ACCOUNT: 0.6, Kind.PHONE: 0.8, Kind.CARD: 0.95}


@cache
def _detectors(kinds: frozenset[Kind]) -> list[detectors.Detector]:
    korean = [
        _Detector(kind, _korean(kind), _SURE.get(kind, 0.9))
        for kind in Kind
        if kind in kinds & _KOREAN.keys()
    ]
    return [*korean, *(_Detector(*ours) for ours in _OURS if ours[0] in kinds)]
