"""Percentiles and curves, without numpy's weight in the load generator."""

import math
from collections.abc import Sequence

# Where a curve is kept: every half percent, and finer where the slow ones are.
CURVE = (*(step / 2 for step in range(199)), *(99 + step / 10 for step in range(11)))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def curve(values: Sequence[float]) -> list[list[float]]:
    """[percent, value] pairs that draw the distribution."""
    return [[percent, round(percentile(values, percent), 6)] for percent in CURVE]


def spread(values: Sequence[float]) -> dict[str, float]:
    """What a table shows of a distribution, in the values' own unit."""
    shown = {f"p{percent:g}": round(percentile(values, percent), 6) for percent in (50, 90, 99)}
    return {"count": len(values), **shown, "max": round(max(values), 6)}
