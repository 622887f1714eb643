"""A place in line in words: true, plural where it must be, and the same from row to row."""

import pytest

from db import places
from db.states import JobState
from tasks import place
from tests.fakes import a_job


def words(language: str, ahead: int | None, left_from: int | None, left_to: int | None, **changes) -> str:
    stands = {"ahead": ahead, "left_from": left_from, "left_to": left_to, "state": JobState.WAITING}
    return place.words(language, a_job(**stands | changes))


@pytest.mark.parametrize(
    ("stands", "english", "korean"),
    [
        ((0, 0, 15), "you are next, less than 15 seconds left", "바로 다음 차례, 15초 안에 끝남"),
        ((1, 15, 30), "1 ahead of you, about 15 to 30 seconds left", "앞에 1건, 약 15~30초 남음"),
        ((3, 60, 120), "3 ahead of you, about 1 to 2 minutes left", "앞에 3건, 약 1~2분 남음"),
        ((10, 30, 60), "10 ahead of you, about 30 seconds to a minute left", "앞에 10건, 약 30초~1분 남음"),
        (
            (20, 30, 180),
            "about 20 ahead of you, about 30 seconds to 3 minutes left",
            "앞에 약 20건, 약 30초~3분 남음",
        ),
        (
            (750, 1800, 3600),
            "about 750 ahead of you, about 30 minutes to an hour left",
            "앞에 약 750건, 약 30분~1시간 남음",
        ),
        (
            (places.MOST_AHEAD, 3600, None),
            "about 1000 ahead of you, more than an hour left",
            "앞에 약 1000건, 1시간 넘게 남음",
        ),
        ((2, 0, 60), "2 ahead of you, less than a minute left", "앞에 2건, 1분 안에 끝남"),
        ((2, 1800, None), "2 ahead of you, more than 30 minutes left", "앞에 2건, 30분 넘게 남음"),
        ((2, None, None), "2 ahead of you", "앞에 2건"),
        ((0, None, None), "you are next", "바로 다음 차례"),
        ((None, None, None), "", ""),
        # Put back in line and not looked at since: the time is that of an earlier place.
        ((None, 60, 120), "", ""),
    ],
)
def test_a_waiting_job(stands, english, korean):
    assert words("en", *stands) == english
    assert words("ko", *stands) == korean


def test_a_running_job_has_nobody_ahead_but_some_time_left():
    assert words("en", 3, 60, 120, state=JobState.RUNNING) == "about 1 to 2 minutes left"
    assert words("en", None, None, None, state=JobState.RUNNING) == ""


@pytest.mark.parametrize(
    "state", [state for state in JobState if state not in {JobState.WAITING, JobState.RUNNING}]
)
def test_a_job_that_is_not_in_line_has_no_place(state):
    assert words("en", 3, 60, 120, state=state) == ""
    job = a_job(state=state, ahead=3, left_from=60, left_to=120)
    assert (place.ahead(job), place.seconds_left(job)) == (None, None)


def test_every_place_that_can_stand_in_a_row_has_words():
    ends = [*places._TIMES[1:], None]
    ranges = {
        words(language, ahead, start, end)
        for language in ("en", "ko")
        for ahead in places._PLACES
        for start in places._TIMES
        for end in ends
        if end is None or end > start
    }
    pairs = sum(end is None or end > start for start in places._TIMES for end in ends)
    assert len(ranges) == 2 * len(places._PLACES) * pairs


def test_calls_that_took_no_time_are_words_too():
    assert words("en", 0, 0, 0) == "you are next, less than a second left"
