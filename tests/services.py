"""Private servers for the tests: each on a free loopback port, in a folder of its own, ended with the session.

A missing server skips its tests on a laptop and fails them in CI (`need`).
"""

import contextlib
import itertools
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

import psutil
import psycopg
import pytest
import redis

from playground.launcher import broker
from playground.launcher.guardian import Guardian

T = TypeVar("T")

# PostgreSQL refuses to run as root; this user exists on Debian and on macOS.
UNPRIVILEGED_USER = "nobody"
DEBIAN_RABBITMQ = pathlib.Path("/usr/lib/rabbitmq/lib")
DEBIAN_POSTGRES = pathlib.Path("/usr/lib/postgresql")


def need(package: str, program: str, folders: list[pathlib.Path] | None = None) -> str:
    """The path of a server's program; without it, skips the test on a laptop and fails it in CI."""
    places = [str(folder) for folder in folders or [] if (folder / program).is_file()]
    found = shutil.which(program, path=os.pathsep.join(places)) if places else shutil.which(program)
    if found is None:
        missing(f"{program} is not installed (Debian: apt-get install {package})")
    return found


def missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# Each process that runs tests counts on within a part of its own: a port is given to one, before its server has it.
_PART = 2_000
_FIRST = 10_000 + _PART * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10)
# Not of `random`, whose seed tests set.
_counted = itertools.count(secrets.randbelow(_PART))


def free_port() -> int:
    """None of those that the system gives to connections: one of them might have it before its server starts."""
    while True:
        port = _FIRST + next(_counted) % _PART
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def wait_for(
    condition: Callable[[], T], limit: float = 10, what: str = "the condition", pause: float = 0.02
) -> T:
    """Asks again and again until `condition()` is true, and returns what it gave.

    Raises AssertionError naming `what` after `limit` seconds.
    """
    deadline = time.monotonic() + limit
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit:g} s: {what}")
        time.sleep(pause)
    return answer


class Server:
    """A server process that can be started, stopped, killed and started again at the same address."""

    def __init__(
        self,
        name: str,
        command: list[str],
        url: str,
        folder: pathlib.Path,
        *,
        ready: Callable[[], bool],
        env: dict[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        start_limit: float = 20,
    ) -> None:
        self.name = name
        self.command = command
        self.url = url
        self.folder = folder
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._ready = ready
        self._env = {**os.environ, **(env or {})}
        self._user = user
        self._stop_signal = stop_signal
        self._start_limit = start_limit

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_user(self._user),
            )
        guardian().watch(self.process.pid)
        try:
            wait_for(self._is_ready, self._start_limit, f"{self.name} answers")
        except BaseException:
            self.kill()
            raise

    def _is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise AssertionError(
                f"{self.name} ended at start:\n{self.log.read_text(errors='replace')[-4000:]}"
            )
        return self._ready()

    def stop(self) -> None:
        """Ends the server as its operator would, and after 15 seconds by force."""
        if self.process is not None:
            self.process.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
            self.kill()

    def kill(self) -> None:
        """`kill -9` for the server and all its children, and until they are gone."""
        if self.process is not None:
            # PostgreSQL's have sessions of their own, and it does not start again beside one of the last life.
            children = _children(self.process)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            wait_for(lambda: not any(_lives(child) for child in children), what=f"{self.name} is gone")
            guardian().forget(self.process.pid)
            self.process = None

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        self.start()
        try:
            yield self
        finally:
            self.stop()


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """All of them: it makes no more from now on."""
    if process.poll() is not None:
        return []
    process.send_signal(signal.SIGSTOP)
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


_guardians: list[Guardian] = []


def guardian() -> Guardian:
    """Ends the servers even when the test runner itself is killed."""
    if not _guardians:
        _guardians.append(Guardian(grace_seconds=1))
    return _guardians[0]


def dismiss_guardian() -> None:
    while _guardians:
        _guardians.pop().dismiss()


def as_user(user: str | None) -> dict[str, Any]:
    return {"user": user, "group": group_of(user), "extra_groups": []} if user else {}


def group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


@contextlib.contextmanager
def folder(name: str, owner: str | None = None) -> Iterator[pathlib.Path]:
    """A short-named private folder: pytest's own are too long for unix sockets and closed to other users."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"threadline-{name}-"))
    try:
        if owner:
            shutil.chown(path, owner, group_of(owner))
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# Redis and Valkey


@contextlib.contextmanager
def redis_server() -> Iterator[Server]:
    program = need("redis-server", "redis-server")
    with folder("redis") as path, _redis_like("redis", program, path).running() as server:
        yield server


@contextlib.contextmanager
def valkey_server() -> Iterator[Server]:
    """The embedded broker's program, over TCP; always there, because it comes in a wheel."""
    with folder("valkey") as path, _redis_like("valkey", broker.program(), path).running() as server:
        yield server


def _redis_like(name: str, program: str, path: pathlib.Path) -> Server:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    return Server(
        name,
        [
            program,
            *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(path)),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec"),
            *("--maxmemory-policy", "noeviction"),
        ],
        url,
        path,
        ready=lambda: _pings(url),
    )


def _pings(url: str) -> bool:
    with contextlib.suppress(redis.RedisError), redis.Redis.from_url(url, socket_timeout=1) as client:
        return bool(client.ping())
    return False


# RabbitMQ


@contextlib.contextmanager
def rabbitmq_server() -> Iterator[Server]:
    """RabbitMQ with an `epmd` of its own, so that none outlives it."""
    # Debian's wrapper in /usr/sbin insists on the user `rabbitmq` and the system's folders.
    program = need("rabbitmq-server", "rabbitmq-server", sorted(DEBIAN_RABBITMQ.glob("*/sbin")))
    epmd_program = need("erlang-base", "epmd")
    with folder("rabbitmq") as path:
        port, epmd_port, distribution_port = free_port(), free_port(), free_port()
        home = {"HOME": str(path), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(epmd_port)}
        (path / "plugins").write_text("[].\n")
        epmd = Server("epmd", [epmd_program], "", path, env=home, ready=lambda: _listens(epmd_port))
        server = Server(
            "rabbitmq",
            [program],
            f"amqp://guest:guest@127.0.0.1:{port}//",
            path,
            env={
                **home,
                "RABBITMQ_NODENAME": f"threadline-{port}@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(port),
                "RABBITMQ_DIST_PORT": str(distribution_port),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
                "RABBITMQ_MNESIA_BASE": str(path / "mnesia"),
                "RABBITMQ_LOG_BASE": str(path / "log"),
                "RABBITMQ_CONFIG_FILE": str(path / "rabbitmq"),
                "RABBITMQ_CONF_ENV_FILE": str(path / "rabbitmq-env.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(path / "plugins"),
                "RABBITMQ_FEATURE_FLAGS_FILE": str(path / "feature_flags"),
            },
            ready=lambda: _listens(port),
            start_limit=90,
        )
        with epmd.running(), server.running():
            yield server


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


# PostgreSQL


@contextlib.contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[Server]:
    """PostgreSQL without fsync: the tests kill processes, not the machine. `durable`: as people run it."""
    bins = sorted(DEBIAN_POSTGRES.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)[:1]
    postgres, initdb = (need("postgresql", name, bins) for name in ("postgres", "initdb"))
    user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
    with folder("postgres", user) as path:
        cluster = path / "cluster"
        subprocess.run(
            [
                *(initdb, "--pgdata", str(cluster), "--username", "threadline", "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
            ],
            check=True,
            cwd=path,
            env={**os.environ, "HOME": str(path)},
            stdout=subprocess.DEVNULL,
            **as_user(user),
        )
        port = free_port()
        url = f"postgresql+psycopg://threadline@127.0.0.1:{port}/postgres"
        server = Server(
            "postgres",
            [
                *(postgres, "-D", str(cluster), "-p", str(port), "-h", "127.0.0.1", "-k", ""),
                *(() if durable else ("-c", "fsync=off", "-c", "synchronous_commit=off")),
                *(() if durable else ("-c", "full_page_writes=off")),
                *("-c", "max_connections=300", "-c", "timezone=UTC"),
            ],
            url,
            path,
            ready=lambda: _accepts(url),
            user=user,
            stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown: does not wait for clients.
        )
        with server.running():
            yield server


@contextlib.contextmanager
def postgres_database(server_url: str, template: str = "template0") -> Iterator[str]:
    """A fresh database, a copy of `template` (about 30 ms); dropped at the end with whoever still uses it."""
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(dsn(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        try:
            yield server_url.rpartition("/")[0] + f"/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def dsn(url: str) -> str:
    """SQLAlchemy's URL as psycopg itself reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def _accepts(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(dsn(url), connect_timeout=1):
        return True
    return False
