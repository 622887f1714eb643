"""Runs the playground: in this process until it is stopped, or in a thread beside a test."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket

import uvicorn
from starlette.applications import Starlette

from playground.app import create_app
from playground.config import Config
from playground.model import ModelServer
from playground.slack.stand_in import Slack

START_SECONDS = 15.0


class Server(uvicorn.Server):
    """Uvicorn, which ends the pages' streams before it waits for open requests to finish."""

    def __init__(self, app: Starlette, config: Config, started: Callable[[], None] = lambda: None) -> None:
        self._slack: Slack = app.state.slack
        self._tell = started
        super().__init__(
            uvicorn.Config(
                app,
                host=config.host,
                port=config.port,
                log_level="warning",
                access_log=False,
                # Slack pings open sockets too; a client that does not answer is gone.
                ws_ping_interval=10.0,
                ws_ping_timeout=20.0,
                timeout_graceful_shutdown=2,
                # Benchmarks open many connections at once.
                backlog=4096,
            )
        )

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start as usual, and say so when it worked."""
        await super().startup(sockets)
        if self.started:
            self._tell()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End what would never end by itself, then stop as usual."""
        self._slack.bus.close()
        await self._slack.sockets.drop()
        await super().shutdown(sockets)


@dataclass(frozen=True)
class Running:
    """A playground in a thread: its address, its settings, and the stand-ins to look into."""

    url: str
    config: Config
    slack: Slack
    model: ModelServer


def run(config: Config, started: Callable[[], None]) -> bool:
    """Serve until a signal comes; `started` is called once it listens. Returns whether it could start."""
    server = Server(create_app(config), config, started)
    try:
        server.run()
    except SystemExit:
        # Uvicorn has logged why, and would leave with a code of its own.
        return False
    return server.started


@contextmanager
def running(config: Config) -> Iterator[Running]:
    """Serve in a thread for as long as the block lasts."""
    app = create_app(config)
    server = Server(app, config)
    thread = threading.Thread(target=server.run, name="playground", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError(f"The playground could not start on {config.url}.")
        thread.join(0.01)
    try:
        yield Running(config.url, config, app.state.slack, app.state.model)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
