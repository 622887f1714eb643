"""How a process ends: it takes nothing new, lets what runs go on for a while, and then gives it back."""

from collections.abc import Callable
from datetime import datetime, timedelta

# Platforms give 30 s (Heroku, Kubernetes) before they end a process by force; giving back and closing take some.
GRACE = timedelta(seconds=20)


class Stopping:
    """Whether this process was told to end, and whether what runs has had its time.

    Set from a signal's handler, so it takes no lock.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._until: datetime | None = None

    def set(self) -> None:
        """The process was told to end; told again, it ends at once."""
        now = self._clock()
        self._until = now if self._until is not None else now + GRACE

    def is_set(self) -> bool:
        """Whether nothing more is to be taken."""
        return self._until is not None

    def is_over(self) -> bool:
        """Whether what still runs is to be given back."""
        return self._until is not None and self._clock() >= self._until
