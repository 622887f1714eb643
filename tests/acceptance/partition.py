"""A wire to a server that can be cut without a word: connections stay open, and nothing passes."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Wire:
    """Passes bytes on to an address on this machine, both ways, until it is cut."""

    def __init__(self, to: int) -> None:
        self._to, self._whole = to, threading.Event()
        self._whole.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """Nothing passes from now on; whoever asks waits."""
        self._whole.clear()

    def mend(self) -> None:
        """All that was held up passes."""
        self._whole.set()

    @contextlib.contextmanager
    def laid(self) -> Iterator["Wire"]:
        with contextlib.ExitStack() as ends, self._listener:
            accepting = threading.Thread(target=self._accept, args=(ends,), daemon=True)
            accepting.start()
            try:
                yield self
            finally:
                self.mend()
                self._listener.shutdown(socket.SHUT_RDWR)
                accepting.join(10)

    def _accept(self, ends: contextlib.ExitStack) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                passing = threading.Thread(target=self._join, args=(near,), daemon=True)
                passing.start()
                ends.callback(passing.join, 10)
                ends.callback(_end, near)

    def _join(self, near: socket.socket) -> None:
        self._whole.wait()
        with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as far:
            back = threading.Thread(target=self._pass, args=(far, near), daemon=True)
            back.start()
            self._pass(near, far)
            back.join(10)

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._whole.wait()
                sink.sendall(data)
        _end(source)
        _end(sink)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
