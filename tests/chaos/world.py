"""The whole product on one pair of database and broker, with a link between each two parts."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx

from playground import server
from playground.config import Config
from tests import services
from tests.acceptance.stack import BOT_TOKEN, SIGNING_SECRET
from tests.chaos import plan
from tests.chaos.fleet import ROOT, Fleet
from tests.chaos.links import Network

API_TOKEN = "chaos-token-0123456789"
LIMIT = 4

# Slack repeats an event after 0 s, 1 minute and 5 minutes; here sooner, so that a run has an end.
EVENT_RETRY_SECONDS = (0.0, 5.0, 15.0)


@dataclass
class World:
    """Everything running."""

    play: server.Running
    network: Network
    fleet: Fleet
    broker: services.Server
    postgres: services.Server | None
    database_url: str
    web: str
    folder: pathlib.Path

    @property
    def restarts(self) -> Sequence[str]:
        """The ways to restart the database. SQLite is a file: all who use it are killed."""
        return ("users",) if self.postgres is None else ("SIGINT", "SIGKILL")

    def empty_broker(self) -> None:
        """`kill -9` the broker, delete all that it kept, and start it again."""
        self.broker.kill()
        for kept in ("appendonlydir", "mnesia"):
            shutil.rmtree(self.broker.folder / kept, ignore_errors=True)
        self.broker.start()

    def restart_database(self, how: str) -> None:
        if self.postgres is None:
            for name in self.fleet.processes:
                self.fleet.kill(name)
            return
        if how == "SIGINT":
            self.postgres.stop()
        self.postgres.kill()
        self.postgres.start()


@contextlib.contextmanager
def running(pair: str, copies: int, launcher: Sequence[str] = ()) -> Iterator[World]:
    """Start everything on "sqlite-redis", "postgresql-rabbitmq" or another pair; ends it all afterwards.

    `launcher`: the module that starts each process in place of `python -m`.
    """
    database, _, broker_name = pair.partition("-")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(services.folder("chaos"))
        postgres = None
        if database == "postgresql":
            # Durable, or a `kill -9` would take away what was acknowledged, as it may with any database without.
            postgres = stack.enter_context(services.postgres_server(durable=True))
            database_url = postgres.url
        else:
            database_url = f"sqlite:///{folder / 'threadline.db'}"
        broker = stack.enter_context(_BROKERS[broker_name]())
        network = Network()
        network.start()
        stack.callback(network.stop)
        play_port, web_ports = services.free_port(), [services.free_port() for _ in range(copies)]
        front = network.add("front", *(("127.0.0.1", port) for port in web_ports))
        slack = network.add("slack", ("127.0.0.1", play_port))
        model = network.add("model", ("127.0.0.1", play_port))
        config = Config(
            port=play_port,
            request_url=f"http://127.0.0.1:{front.port}/slack/events",
            signing_secret=SIGNING_SECRET,
            bot_token=BOT_TOKEN,
            database_url=None,
            hang_seconds=8.0,
            event_retry_seconds=EVENT_RETRY_SECONDS,
        )
        play = stack.enter_context(server.running(config))
        common = _environment(folder, slack.port, model.port)
        upgrade = common | {"DATABASE_URL": database_url, "BROKER_URL": broker.url}
        subprocess.run([sys.executable, "-m", "db", "upgrade"], cwd=ROOT, env=upgrade, check=True)
        fleet = Fleet(folder)
        stack.callback(fleet.end)
        ports = iter(web_ports)
        for name in plan.processes(copies):
            kind = name.partition("-")[0]
            own = {
                "DATABASE_URL": _linked(network, f"{name}:database", database_url),
                "BROKER_URL": _linked(network, f"{name}:broker", broker.url),
            }
            if kind == "web":
                own["PORT"] = str(next(ports))
            command = ["bot"] if kind == "web" else ["tasks", kind]
            fleet.add(name, [*launcher, *command], common | own)
        web = f"http://127.0.0.1:{front.port}"
        world = World(play, network, fleet, broker, postgres, database_url, web, folder)
        try:
            for port in web_ports:
                services.wait_for(lambda port=port: _is_ready(port), 60, "web is ready")
            yield world
        except BaseException:
            keep(folder)
            raise


_BROKERS = {
    "redis": services.redis_server,
    "valkey": services.valkey_server,
    "rabbitmq": services.rabbitmq_server,
}


def _environment(folder: pathlib.Path, slack_port: int, model_port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "SLACK_API_URL": f"http://127.0.0.1:{slack_port}/api/",
        "LLM_URL": f"http://127.0.0.1:{model_port}/v1",
        "LLM_MODEL": "built-in",
        "LLM_LIMIT": str(LIMIT),
        "LLM_CONTEXT": "4096",
        "API_TOKENS": f"chaos:{API_TOKEN}",
        # A few people here stand for many.
        "MOST_OPEN": "100000",
        "INFER_CONCURRENCY": str(LIMIT),
        "LOG_FORMAT": "json",
        # With the claims, from which recovery is read.
        "LOG_LEVEL": "DEBUG",
        "PYTHONWARNINGS": "ignore::Warning:celery.platforms",
    }


def _linked(network: Network, name: str, url: str) -> str:
    """The same address by a link; SQLite has none."""
    parts = urlsplit(url)
    if parts.port is None:
        return url
    link = network.add(name, ("127.0.0.1", parts.port))
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{link.port}")))


def _is_ready(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5, trust_env=False).status_code == 200
    return False


def keep(folder: pathlib.Path) -> None:
    """The logs and the database of a run that failed, in .threadline/chaos."""
    kept = ROOT / ".threadline" / "chaos"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept)
