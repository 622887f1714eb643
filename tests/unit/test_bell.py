"""The bell: heard once by a broker that listens, and never in the way of whoever rings."""

import threading
from datetime import timedelta

import pytest

from tasks.bell import EXPIRES, MOST_UNSENT, Bell
from tests.fakes import until

LIMIT = timedelta(seconds=10)


class Celery:
    """Notes what is sent, after `gate` opens; raises `error` instead, if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.options: list[dict] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error = error

    def send_task(self, name: str, args: list[str], **options) -> None:
        assert self.gate.wait(10)
        if self.error:
            raise self.error
        self.sent.append((name, args))
        self.options.append(options)


def test_each_bell_goes_to_the_queue_of_its_stage_and_in_order():
    celery = Celery()
    bell = Bell(celery)
    bell.ring_prepare("job1")
    bell.ring_infer("main", 2)
    bell.ring_deliver("slack/C1")
    bell.flush(LIMIT)
    assert celery.sent == [
        ("prepare", ["job1"]),
        ("infer", ["main"]),
        ("infer", ["main"]),
        ("deliver", ["slack/C1"]),
    ]
    assert [one["queue"] for one in celery.options] == ["prepare", "infer", "infer", "deliver"]
    assert all(one["expires"] == EXPIRES.total_seconds() and one["retry"] is False for one in celery.options)


def test_a_broker_that_hangs_delays_nobody():
    celery = Celery()
    celery.gate.clear()
    bell = Bell(celery)
    for number in range(MOST_UNSENT + 50):
        bell.ring_prepare(str(number))
    assert celery.sent == []
    celery.gate.set()
    bell.flush(LIMIT)
    # What did not fit is for the sweep.
    assert MOST_UNSENT <= len(celery.sent) <= MOST_UNSENT + 1


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), OSError("broken pipe"), RuntimeError("anything")]
)
def test_a_broker_that_is_away_is_forgiven(error):
    celery = Celery(error)
    bell = Bell(celery)
    bell.ring_prepare("job1")
    bell.flush(LIMIT)
    celery.error = None
    bell.ring_prepare("job2")
    bell.flush(LIMIT)
    assert celery.sent == [("prepare", ["job2"])]


def test_waiting_for_a_broker_that_hangs_ends():
    celery = Celery()
    celery.gate.clear()
    bell = Bell(celery)
    bell.ring_prepare("job1")
    bell.flush(timedelta(milliseconds=1))
    assert celery.sent == []
    celery.gate.set()
    until(lambda: celery.sent)


def test_a_bell_made_before_a_fork_rings_in_the_child():
    bell = Bell(Celery())
    assert bell._thread is None
    bell.ring_prepare("job1")
    bell.flush(LIMIT)
    # A child of a fork has the object without its thread.
    bell._thread = threading.Thread()
    bell.ring_prepare("job2")
    bell.flush(LIMIT)
    assert bell._celery.sent == [("prepare", ["job1"]), ("prepare", ["job2"])]
