"""What the person at the terminal reads, even when the terminal is gone."""

import os
import select
import sys

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)


class Terminal:
    def __init__(self) -> None:
        self._gone = False
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._width = 10
        self._colour_of: dict[str, int] = {}
        self._hangup: select.poll | None = None
        if sys.stdout.isatty():
            self._hangup = select.poll()
            self._hangup.register(sys.stdout.fileno(), 0)

    def is_hung_up(self) -> bool:
        """Whether there was a terminal and it went away.

        SIGHUP does not always tell: it goes to the session's leader, and where that is `make` (`ssh -t host make
        run`), it stops there.
        """
        if self._hangup is None:
            return False
        return self._gone or any(event & select.POLLHUP for _, event in self._hangup.poll(0))

    def say(self, text: str) -> None:
        """Prints; once the terminal or the pipe is gone, it is silent instead."""
        if self._gone:
            return
        try:
            print(text, flush=True)
        except OSError:
            self._gone = True
            # Python flushes at exit and would complain there once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def line_of(self, name: str, line: str) -> None:
        """A process's own line, behind its name."""
        colour = self._colour_of.setdefault(name, COLOURS[len(self._colour_of) % len(COLOURS)])
        label = f"{name:<{self._width}} |"
        self.say(f"\x1b[{colour}m{label}\x1b[0m {line}" if self._coloured else f"{label} {line}")

    def strong(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._coloured else text
