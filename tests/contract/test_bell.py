"""Whether a queue is silent, as both kinds of broker tell it."""

import pytest
from structlog.testing import capture_logs

from tasks.app import PREPARE, make_celery
from tasks.bell import Bell
from tests import fakes, services


@pytest.mark.parametrize("broker", ["valkey_url", "rabbitmq_url"])
def test_a_queue_is_silent_until_a_bell_waits_in_it(request: pytest.FixtureRequest, broker: str) -> None:
    """An empty or missing queue is silent, without a word in the log; one with a bell that nobody heard is not."""
    celery = make_celery(fakes.settings(broker_url=request.getfixturevalue(broker)))
    bell = Bell(celery)
    with capture_logs() as logged:
        assert bell.is_silent(PREPARE)
    assert not logged
    bell.ring_prepare("a-job")
    services.wait_for(lambda: not bell.is_silent(PREPARE), 10, "the bell waits in the queue")
    with celery.connection_for_write() as connection:
        connection.default_channel.queue_purge(PREPARE)
    assert bell.is_silent(PREPARE)
