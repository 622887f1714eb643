"""Whoever freezes in the middle of their calls, or with SQLite's one write lock: no limit is passed, nobody waits."""

import pathlib

import httpx
import psutil
import pytest

from tests import services
from tests.acceptance.stack import ADA, kind_of
from tests.chaos import world
from tests.chaos.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TEXT = "The keeper of the lighthouse wrote down what he saw. " * 80


def test_a_frozen_worker_does_not_keep_the_slots_that_others_were_given() -> None:
    """Its calls would go on for minutes; they are closed before their leases end, and run elsewhere (I5)."""
    with world.running("sqlite-redis", copies=2) as running, _acting(running) as play:
        _speed(running, 5.0)
        for _ in range(world.LIMIT):
            said = {"user": ADA, "channel": "C0GENERAL", "text": f"<@U0BOT> {TEXT}"}
            assert play.post("/control/say", json=said).status_code == 200
        engine = running.play.model.engine
        services.wait_for(lambda: engine.in_flight == world.LIMIT, 30, "all slots are in use")
        frozen = next(name for name in ("infer-1", "infer-2") if _claims(running.folder, name))
        calls = _claims(running.folder, frozen)
        thaw = running.fleet.freeze(frozen)
        services.wait_for(
            lambda: _claims(running.folder, "infer-") >= world.LIMIT + calls, 90, "its calls run again"
        )
        services.wait_for(lambda: engine.record.people and engine.in_flight == world.LIMIT, 30, "they run")
        assert engine.record.peak_in_flight == world.LIMIT
        thaw()
        _speed(running, 0)
        services.wait_for(lambda: _results(running) == world.LIMIT, 60, "each is answered once")
        assert engine.record.peak_in_flight == world.LIMIT


def test_who_freezes_with_the_write_lock_is_ended_and_the_others_go_on():
    """One after the other, of each process that writes: else all wait for as long as it is frozen, also the front door."""
    with (
        world.running("sqlite-redis", copies=1, launcher=["tests.chaos.stuck"]) as running,
        _acting(running) as play,
    ):
        for asked, process in enumerate(("bot", "prepare", "infer", "deliver"), 1):
            order = running.folder / f"{process}.freeze"
            order.touch()
            said = {"user": ADA, "channel": "C0GENERAL", "text": f"<@U0BOT> {TEXT}"}
            assert play.post("/control/say", json=said).status_code == 200
            services.wait_for(order.with_suffix(".frozen").exists, 60, f"{process} is frozen")
            frozen = int(order.with_suffix(".frozen").read_text())
            services.wait_for(lambda pid=frozen: not psutil.pid_exists(pid), 60, f"{process} is ended")
            services.wait_for(
                lambda all_of=asked: _results(running) == all_of, 60, f"after {process} all is answered"
            )


def _acting(running: World) -> httpx.Client:
    return httpx.Client(base_url=running.play.url, timeout=30, trust_env=False)


def _speed(running: World, tokens_per_second: float) -> None:
    engine = running.play.model.engine
    shape = {"slots": 64, "answer": "echo", "tokens_per_second": tokens_per_second}
    engine.become(engine.shape.changed(shape), reload=False)


def _claims(folder: pathlib.Path, name: str) -> int:
    return sum(log.read_text().count('"claimed"') for log in folder.glob(f"{name}*.log"))


def _results(running: World) -> int:
    messages = running.play.slack.workspace.channels["C0GENERAL"].messages
    return sum(kind_of(message) == "result" for message in list(messages.values()))
