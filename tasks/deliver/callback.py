"""The outcome of a job that came by HTTP, sent to the address its service gave."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import httpcore
import httpx

from db.posts import Work
from tasks import originals
from tasks.deliver.outcome import Failed, Outcome, Shown
from tasks.resources import Resources
from tasks.slack import Problem, Trouble

# From the first byte sent to the answer's status. The lane's lease has to last longer: who holds it in vain is taken
# for frozen, and ended with all that the worker does (tasks.deadman).
TOTAL = timedelta(seconds=10)
# For each address of a host that has several.
CONNECT = timedelta(seconds=3)

WAIT = timedelta(seconds=2)

_PIECE = 16 * 1024  # bytes that are written at once
_CONNECTED = (".connect_tcp.complete", ".start_tls.complete")


def send(resources: Resources, work: Work, clock: Callable[[], float] = time.monotonic) -> Outcome:
    """POST the outcome as JSON. The same `Idempotency-Key` comes with every try of the same outcome.

    `clock` gives seconds.
    """
    job = work.job
    body = {
        "id": job.id,
        "state": "done" if job.state == "answered" else job.state,
        "recipe": job.recipe,
        "result": originals.answer(resources.settings, job),
        "truncated": job.truncated,
        "error": job.error,
    }
    try:
        status = _post(resources.http, job.callback_url or "", body, f"{job.id}-{work.post.attempt}", clock)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Failed(Problem(Trouble.WAIT, type(error).__name__, WAIT))
    if httpx.codes.is_success(status):
        return Shown(None, None)
    # Redirects are not followed: the service gave this address, and no other was agreed on.
    again = status >= 500 or status in {408, 425, 429}
    return Failed(Problem(Trouble.WAIT if again else Trouble.CONTENT, f"http_{status}", WAIT))


def _post(http: httpx.Client, url: str, body: dict[str, Any], key: str, clock: Callable[[], float]) -> int:
    """The answer's status. What comes after it is not read: it may be of any length, and take any time.

    So httpx closes the connection, and no other call comes under its guard.
    """
    until = clock() + TOTAL.total_seconds()

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(_CONNECTED):
            _guard(info["return_value"], lambda: until - clock())

    with http.stream(
        "POST",
        url,
        json=body,
        headers={"Idempotency-Key": key},
        timeout=httpx.Timeout(TOTAL.total_seconds(), connect=CONNECT.total_seconds()),
        extensions={"trace": trace},
    ) as answer:
        return answer.status_code


def _guard(stream: httpcore.NetworkStream, left: Callable[[], float]) -> None:
    """Let a connection's reads and writes take the seconds that are left, all together.

    httpx takes one time-out for all of them, and begins it anew at every byte.
    """
    read, write = stream.read, stream.write

    def read_in_time(max_bytes: int, timeout: float | None = None) -> bytes:
        seconds = left()
        if seconds <= 0:
            raise httpcore.ReadTimeout
        return read(max_bytes, seconds)

    def write_in_time(buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), _PIECE):
            seconds = left()
            if seconds <= 0:
                raise httpcore.WriteTimeout
            write(buffer[at : at + _PIECE], seconds)

    stream.read = read_in_time  # type: ignore[method-assign]  # httpcore has no hook for this.
    stream.write = write_in_time  # type: ignore[method-assign]  # The same.
