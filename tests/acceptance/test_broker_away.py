"""The broker is killed, stays away while people ask, and comes back empty: delayed, and nothing lost (I7)."""

import pathlib
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests import services
from tests.acceptance import stack as stacks
from tests.acceptance.stack import ADA, GENERAL, Stack

pytestmark = pytest.mark.timeout(240)

TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."
SERVERS = {"valkey": services.valkey_server, "rabbitmq": services.rabbitmq_server}


@pytest.fixture(scope="module", params=list(SERVERS))
def broker(request: pytest.FixtureRequest) -> Iterator[services.Server]:
    """A server of these tests' own: they kill it."""
    with SERVERS[request.param]() as server:
        yield server


@pytest.fixture(scope="module")
def _running(broker: services.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: pathlib.Path = tmp_path_factory.mktemp("stack")
    url = f"sqlite:///{folder / 'threadline.db'}"
    with stacks.running(url, broker.url, folder, socket_mode=False) as running:
        yield running


@pytest.fixture
def stack(_running: Stack) -> Stack:
    _running.renew()
    _running.clear()
    return _running


def empty(broker: services.Server) -> None:
    """Delete all that a dead broker kept."""
    for kept in ("appendonlydir", "mnesia"):
        shutil.rmtree(broker.folder / kept, ignore_errors=True)


def test_requests_without_a_broker_are_taken_and_answered_when_it_is_back(
    stack: Stack, broker: services.Server
) -> None:
    """Acknowledged at once; workers come back by themselves; those that are told to end while it is away do so."""
    first = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.answer(GENERAL, first)
    stack.hold_model()
    running = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(lambda: stack.look("model")["in_flight"] == 1, "a call runs")
    broker.kill()
    empty(broker)
    asked = [stack.say(ADA, GENERAL, f"<@U0BOT> {number}. {TEXT}") for number in range(5)]
    # Slack's retries would come after a second; none is needed.
    stack.wait(lambda: stack.look("state")["events_under_way"] == 0, "all events are acknowledged")
    assert stack.logs().count("request.accepted") == 2 + len(asked)
    stack.let_model_go()
    stack.wait(lambda: stack.look("model")["in_flight"] == 0, "the call that ran is answered")
    assert stack.stop("infer", limit=30) == 0
    broker.start()
    stack.start("infer", "tasks", "infer")
    for ts in (running, *asked):
        stack.answer(GENERAL, ts)
    stack.wait(
        lambda: all("done in" in stack.replies(GENERAL, ts, "card")[0]["text"] for ts in (first, *asked)),
        "all cards say done",
    )
    assert {len(stack.replies(GENERAL, ts, "result")) for ts in (first, running, *asked)} == {1}


def test_everybody_ends_while_the_broker_is_away(stack: Stack, broker: services.Server) -> None:
    """Bells that nobody takes hold up no shutdown."""
    # Who is told to end while it still starts ends by the signal.
    stack.answer(GENERAL, stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}"))
    broker.kill()
    stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(lambda: stack.logs().count("request.accepted") == 2, "both are taken")
    for process in stack.processes.values():
        process.send_signal(signal.SIGTERM)
    codes = {name: ended(process) for name, process in stack.processes.items()}
    # Uvicorn passes the signal on, so that its parent can tell.
    assert codes == {**dict.fromkeys(stacks.WORKERS, 0), "web": -signal.SIGTERM}
    stack.processes.clear()
    broker.start()


def ended(process: subprocess.Popen[bytes]) -> int:
    code = process.wait(30)
    services.guardian().forget(process.pid)
    return code
