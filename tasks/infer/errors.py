"""What can go wrong with a call to a model, grouped by what has to happen next.

ModelError
├── Later        try again when there is room; never the job's fault
│   ├── Overloaded    busy, queue full, rate limited: lower the limit
│   ├── OutOfMemory   halve the limit and pause
│   ├── Loading       pause the whole backend
│   ├── Unreachable   nobody there: pause, and tell the operators
│   └── Misconfigured wrong address, key or model: pause, and tell the operators what to mend
├── Broken       the attempt failed: try again, with an attempt used
├── TooLong      tell the person: the text does not fit the model's context
├── Refused      tell the operators: the request is wrong, and stays wrong
└── Stopped      the caller wanted the stream closed
"""

from datetime import timedelta


class ModelError(Exception):
    """A call that brought no answer.

    `detail` is short and never holds what people wrote (DESIGN I10); `status` is the HTTP status or the code of
    an error inside the stream, None without an answer; `retry_after` is how long the server asks to wait.
    """

    def __init__(
        self, detail: str, *, status: int | None = None, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.retry_after = retry_after


class Later(ModelError):
    """The server cannot serve this call now; no attempt is used."""


class Overloaded(Later):
    """No room: 429, 503 busy, a full queue."""


class OutOfMemory(Later):
    """The GPU's memory is full."""


class Loading(Later):
    """The model is not in memory yet."""


class Unreachable(Later):
    """No answer at all: refused, not found, cut or too slow to connect."""


class Misconfigured(Later):
    """Wrong address, key or model: no call can succeed before somebody mends the settings."""


class Broken(ModelError):
    """An answer that is not one: cut, stalled, over time, not JSON, 500."""


class TooLong(ModelError):
    """The prompt does not fit; `tokens` it has and `limit` it may have, where the server tells."""

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        retry_after: timedelta | None = None,
        tokens: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(detail, status=status, retry_after=retry_after)
        self.tokens = tokens
        self.limit = limit


class Refused(ModelError):
    """A request that this server will never take."""


class Stopped(ModelError):
    """`on_progress` returned False."""
