"""A model server's own gauges: how many calls run, how many queue inside it, how full its memory is.

Names as in the sources of vLLM 0.33, SGLang 0.5.23, llama.cpp and TGI (docs: model servers). Ollama and remote
services have none. Gauges are a help, never a need: whatever is odd reads as None.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT = httpx.Timeout(0.5)
_MOST_SECONDS = 1.0
_MOST_BYTES = 1024 * 1024

_RUNNING = (
    "vllm:num_requests_running",
    "sglang:num_running_reqs",
    "llamacpp:requests_processing",
    "tgi_batch_current_size",
)
_WAITING = (
    "vllm:num_requests_waiting",
    "sglang:num_queue_reqs",
    "llamacpp:requests_deferred",
    "tgi_queue_size",
)
_MEMORY = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage")
_NAMES = _RUNNING + _WAITING + _MEMORY


@dataclass(frozen=True)
class Gauges:
    """Calls running and waiting inside the server, its memory in use (0 to 1), and its slots, where it tells."""

    running: int | None = None
    waiting: int | None = None
    memory: float | None = None
    slots: int | None = None


def read(
    http: httpx.Client, base_url: str, api_key: str, *, clock: Callable[[], float] = time.monotonic
) -> Gauges | None:
    """What the server at `base_url` (ends in /v1) says about itself; None where it says nothing of use.

    Takes about a second at most and reads 1 MB at most. Raises no error of the network.
    """
    root = base_url.rstrip("/").removesuffix("/v1")
    deadline = clock() + _MOST_SECONDS
    status, body = _get(http, f"{root}/metrics", api_key, deadline, clock)
    if status == 200:
        return _from_metrics(body)
    if status in {404, 501}:
        # llama.cpp answers 501 unless it was started with --metrics.
        status, body = _get(http, f"{root}/slots", api_key, deadline, clock)
        return _from_slots(body) if status == 200 else None
    return None


def _get(
    http: httpx.Client, url: str, api_key: str, deadline: float, clock: Callable[[], float]
) -> tuple[int | None, bytes]:
    """Status and body; no status for a body that is cut, too long or too slow."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    body = bytearray()
    try:
        with http.stream("GET", url, headers=headers, timeout=_TIMEOUT, follow_redirects=False) as response:
            if response.status_code != 200:
                return response.status_code, b""
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _MOST_BYTES or clock() > deadline:
                    return None, b""
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError):
        return None, b""
    return 200, bytes(body)


def _from_metrics(body: bytes) -> Gauges | None:
    # Only the lines that matter: the histograms around them are many times as long.
    lines = [line for line in body.decode(errors="replace").splitlines() if line.startswith(_NAMES)]
    found: dict[str, list[float]] = {}
    try:
        for family in text_string_to_metric_families("\n".join(lines)):
            for sample in family.samples:
                if 0 <= sample.value < 1_000_000:
                    found.setdefault(sample.name, []).append(sample.value)
    except (ValueError, LookupError):
        return None

    # A server with several engines has a sample for each.
    def every(names: tuple[str, ...]) -> list[float]:
        return [value for name in names for value in found.get(name, [])]

    running, waiting, memory = every(_RUNNING), every(_WAITING), every(_MEMORY)
    gauges = Gauges(
        running=round(sum(running)) if running else None,
        waiting=round(sum(waiting)) if waiting else None,
        memory=min(1.0, max(memory)) if memory else None,
    )
    return None if gauges == Gauges() else gauges


def _from_slots(body: bytes) -> Gauges | None:
    try:
        slots: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(slots, list) or not slots or not all(isinstance(slot, dict) for slot in slots):
        return None
    return Gauges(running=sum(slot.get("is_processing") is True for slot in slots), slots=len(slots))
