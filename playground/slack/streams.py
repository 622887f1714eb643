"""Messages that are being streamed: chat.startStream, appendStream and stopStream.

Slack ends a stream about five minutes after its start, and then answers `message_not_in_streaming_state`
(python-slack-sdk#1859).
"""

import time
from collections.abc import Callable


class Streams:
    """The open streams, by (channel, ts), with the time each was started."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._open: dict[tuple[str, str], float] = {}

    def start(self, channel: str, ts: str) -> None:
        """A stream begins."""
        self._open[(channel, ts)] = self._clock()

    def is_open(self, channel: str, ts: str) -> bool:
        """Whether text may still be added."""
        started = self._open.get((channel, ts))
        if started is not None and self._clock() - started > self._seconds:
            self.stop(channel, ts)
            return False
        return started is not None

    def stop(self, channel: str, ts: str) -> None:
        """A stream ends."""
        self._open.pop((channel, ts), None)
