"""Counts over time, and how busy slots were.

A course is a list of change points: (moment in seconds, count from then on), in order.
"""

import bisect
import itertools
from collections.abc import Iterable, Sequence

Course = Sequence[Sequence[float]]


def of(begins: Iterable[float], ends: Iterable[float]) -> list[tuple[float, float]]:
    """How many are under way, from the moments when each begins and ends."""
    changes = sorted([(moment, 1) for moment in begins] + [(moment, -1) for moment in ends])
    points: list[tuple[float, float]] = []
    count = 0
    for moment, together in itertools.groupby(changes, key=lambda change: change[0]):
        count += sum(change for _, change in together)
        points.append((moment, count))
    return points


def at(course: Course, moment: float) -> float:
    """The count at a moment; 0 before the first."""
    place = bisect.bisect_right(course, moment, key=lambda point: point[0])
    return course[place - 1][1] if place else 0


def busy(in_flight: Course, wanted: Course, limit: int, begin: float, end: float) -> tuple[float, float]:
    """(share, seconds): how much of `limit` slots was used in the time when more than `limit` were wanted.

    `wanted` counts the asks that are not answered, those in flight included.
    """
    moments = {begin, end, *(point[0] for course in (in_flight, wanted) for point in course)}
    used = seconds = 0.0
    for now, then in itertools.pairwise(sorted(moment for moment in moments if begin <= moment <= end)):
        if at(wanted, now) > limit:
            seconds += then - now
            used += (then - now) * min(at(in_flight, now), limit)
    return (used / (limit * seconds) if seconds else 1.0), seconds


def thinned(course: Course, begin: float, end: float, places: int = 240) -> list[list[float]]:
    """The highest count of each stretch of a course, as [seconds from `begin`, count]: for a picture."""
    width = (end - begin) / places
    highest = [at(course, begin + place * width) for place in range(places)]
    for moment, count in course:
        if begin <= moment < end:
            place = min(places - 1, int((moment - begin) / width))
            highest[place] = max(highest[place], count)
    return [[round(place * width, 2), count] for place, count in enumerate(highest)]
