"""Where a job stands in line, and its words: the same for a card, for `/analyze status` and for the API."""

from db.models import Job
from db.states import JobState
from tasks.catalogue import say

# Up to here a place is exact; db.places rounds those further back.
_EXACT = 10

_UNITS = (("hour", 3600), ("minute", 60))


def ahead(job: Job) -> int | None:
    """Calls that come before a job's next one; None: not in line, or not known."""
    return job.ahead if job.state in {JobState.WAITING, JobState.RUNNING} else None


def seconds_left(job: Job) -> tuple[int, int | None] | None:
    """At least and at most until a job is done (None: longer than is told); None: not in line, or not known."""
    # What stands in a waiting job's row without a place is from before its last claim.
    waits = job.state is JobState.WAITING and (job.ahead is not None or job.held)
    is_told = job.state is JobState.RUNNING or waits
    return (job.left_from, job.left_to) if is_told and job.left_from is not None else None


def words(language: str, job: Job) -> str:
    """Who is ahead of a waiting job, and the time left of one that waits or runs; empty when neither is known."""
    parts = []
    if job.state is JobState.WAITING and job.ahead is not None:
        parts.append(_ahead(language, job.ahead))
    if (left := seconds_left(job)) is not None:
        parts.append(_left(language, *left))
    return ", ".join(parts)


def _ahead(language: str, calls: int) -> str:
    if calls == 0:
        return say(language, "place.next")
    return say(language, "place.ahead" if calls <= _EXACT else "place.about", ahead=calls)


def _left(language: str, at_least: int, at_most: int | None) -> str:
    if at_most is None:
        return say(language, "left.more", span=_span(language, at_least))
    if at_least == 0:
        return say(language, "left.less", span=_span(language, at_most))
    (count, unit), (_, last_unit) = _counted(at_least), _counted(at_most)
    # "1 to 2 minutes", but "30 seconds to a minute".
    start = str(count) if unit == last_unit else _span(language, at_least)
    return say(language, "left.between", start=start, end=_span(language, at_most))


def _span(language: str, seconds: int) -> str:
    count, unit = _counted(max(seconds, 1))
    return say(language, f"span.{unit if count == 1 else unit + 's'}", count=count)


def _counted(seconds: int) -> tuple[int, str]:
    """How many of the largest unit that divides so many seconds."""
    return next(
        ((seconds // size, unit) for unit, size in _UNITS if seconds % size == 0), (seconds, "second")
    )
