"""Progress for the person at the terminal."""

import time


class Say:
    """Prints a line with the minutes and seconds since the start."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def __call__(self, words: str) -> None:
        print(f"{self.clock()}  {words}", flush=True)

    def clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        return f"{minutes:2d}:{seconds:02d}"
