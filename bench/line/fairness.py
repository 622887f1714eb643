"""Who waits how long, and who is served how much."""

import math
from collections.abc import Sequence

# (person, begin, end, tokens in, tokens out) of one call; times in seconds.
Span = tuple[str, float, float, int, int]


def jain(values: Sequence[float]) -> float:
    """Jain's index: 1 when all have the same, 1/n when one has everything (Jain, Chiu, Hawe 1984)."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 1.0


def percentile(waits: Sequence[float | None], percent: float) -> float | None:
    """The percentile of waits of which some never ended (None); where one of those stands, None."""
    ordered = sorted(math.inf if wait is None else wait for wait in waits)
    found = ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
    return None if found == math.inf else found


def served(spans: Sequence[Span], moment: float) -> dict[str, float]:
    """Tokens of each person by a moment. The prompt counts from the beginning, the answer as it comes, evenly."""
    tokens: dict[str, float] = {}
    for person, begin, end, tokens_in, tokens_out in spans:
        if begin <= moment:
            done = 1.0 if end <= moment else (moment - begin) / (end - begin)
            tokens[person] = tokens.get(person, 0) + tokens_in + tokens_out * done
    return tokens


def first_without(spans: Sequence[Span], each: int) -> float:
    """The moment when the first person's last of `each` calls begins: until then everybody is backlogged.

    Where nobody gets that far, the end of the last call.
    """
    begins: dict[str, list[float]] = {}
    for person, begin, *_ in spans:
        begins.setdefault(person, []).append(begin)
    last = [sorted(moments)[each - 1] for moments in begins.values() if len(moments) >= each]
    return min(last) if last else max((end for _, _, end, *_ in spans), default=0.0)
