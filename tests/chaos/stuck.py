"""A process that freezes with SQLite's write lock: `python -m tests.chaos.stuck bot`, `... tasks deliver`.

The product as it is, until a file `<process>.freeze` is in HOME; then one `<process>.frozen` says which process it is.
"""

import importlib
import os
import pathlib
import signal
import sys
import threading
from typing import Any

import sqlalchemy as sa

from db import session


def main(module: str, *words: str) -> int:
    """What `python -m` does with these words."""
    watch_writer = session._watch_writer
    order = pathlib.Path(os.environ["HOME"], f"{words[0] if words else module}.freeze")

    def watched(engine: sa.Engine, watch: Any) -> None:
        watch_writer(engine, watch)
        sa.event.listen(engine, "begin", obey)

    def obey(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("waits", True) and order.exists():
            order.write_text(str(os.getpid()))
            order.rename(order.with_suffix(".frozen"))
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    session._watch_writer = watched
    return int(importlib.import_module(f"{module}.__main__").main(list(words)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
