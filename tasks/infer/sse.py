"""Server-sent events from bytes, as model servers send them.

The rules are those of the HTML standard (section "Interpreting an event stream"), with two additions for what
servers do: llama.cpp puts errors in a field of their own (`error: {...}`), and Ollama writes them as a bare
line of JSON in the middle of the stream.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class TooMuch(Exception):
    """One event is larger than allowed."""


@dataclass(frozen=True)
class Event:
    """One event: its data lines joined by newlines; `error` when the event says of itself that it is one."""

    data: str
    error: bool = False


class Decoder:
    """Feed it bytes cut anywhere, even inside a character; it gives back the events that are complete."""

    def __init__(self, largest: int = 1024 * 1024) -> None:
        self._largest = largest  # bytes of one event
        self._rest: list[bytes] = []
        self._size = 0
        self._data: list[str] = []
        self._error = False
        self._at_start = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that these bytes complete; raises TooMuch."""
        self._size += len(chunk)
        self._rest.append(chunk)
        if b"\n" in chunk or b"\r" in chunk:
            for line in self._lines():
                yield from self._line(line)
        if self._size > self._largest:
            raise TooMuch

    def flush(self) -> Iterator[Event]:
        """The event left open at the end of the stream: some servers leave out the last blank line."""
        rest, self._rest = b"".join(self._rest), []
        for line in (rest.removesuffix(b"\r"), b""):
            yield from self._line(line)

    def _lines(self) -> Iterator[bytes]:
        text = b"".join(self._rest)
        if self._at_start and len(text) >= len(_BOM):
            text, self._at_start = text.removeprefix(_BOM), False
        start = 0
        for end in _LINE_END.finditer(text):
            # A CR at the very end may be the first half of a CRLF that was cut.
            if end.group() == b"\r" and end.end() == len(text):
                break
            yield text[start : end.start()]
            start = end.end()
        self._rest = [text[start:]]

    def _line(self, line: bytes) -> Iterator[Event]:
        if not line:
            yield from self._dispatch()
        elif line.startswith(b"{"):
            yield Event(line.decode("utf-8", "replace"))
        else:
            self._field(line)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"data":
            self._data.append(text)
        elif name == b"error":
            self._data.append(text)
            self._error = True
        elif name == b"event":
            self._error = text.strip() == "error"

    def _dispatch(self) -> Iterator[Event]:
        data, error = self._data, self._error
        self._data, self._error, self._size = [], False, 0
        if data:
            yield Event("\n".join(data), error)
