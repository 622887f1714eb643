"""Tokens as the model server itself counts them, where it says so; else the estimate."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import httpx

from tasks.text import tokens

# One request counts so many characters, and what many texts begin with is counted once.
_CHUNK = 4096
_MOST_KEPT = 4096
_TIMEOUT = httpx.Timeout(1.0)
_MOST_BYTES = 2 * 1024 * 1024


class Counter:
    """Call it with a text for its tokens: asks `/tokenize` of llama.cpp, vLLM or SGLang, never for long.

    A text is counted in chunks, each remembered, so that cutting, which counts a text's beginnings again and
    again, asks for little. Cut apart, a text costs a token more at most for each chunk. When the server has no
    `/tokenize`, is down, or has taken `patience` seconds in all, the estimate stands in from then on, which leans high.
    """

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        api_key: str,
        model: str,
        *,
        patience: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._url = http, f"{base_url.rstrip('/').removesuffix('/v1')}/tokenize"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._left, self._clock = patience, clock
        # The first that is understood stays. llama.cpp: tools/server/README; vLLM and SGLang: TokenizeRequest.
        self._bodies: list[Callable[[str], dict[str, Any]]] = [
            lambda text: {"content": text, "add_special": False},
            lambda text: {"model": model, "prompt": text, "add_special_tokens": False},
        ]
        self._known: OrderedDict[str, int] = OrderedDict()

    def __call__(self, text: str) -> int:
        return sum(self._count(text[at : at + _CHUNK]) for at in range(0, len(text), _CHUNK))

    @property
    def is_exact(self) -> bool:
        """Whether the server has counted everything so far."""
        return bool(self._bodies)

    def _count(self, chunk: str) -> int:
        if chunk in self._known:
            self._known.move_to_end(chunk)
            return self._known[chunk]
        counted = self._asked(chunk) if self._bodies else None
        if counted is None:
            return tokens.estimate(chunk)
        self._known[chunk] = counted
        if len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        return counted

    def _asked(self, chunk: str) -> int | None:
        while self._bodies:
            begun = self._clock()
            status, answer = self._post(self._bodies[0](chunk))
            self._left -= self._clock() - begun
            counted = _counted(answer)
            if counted is not None and (counted > 0 or not chunk.strip()):
                self._bodies = self._bodies[:1] if self._left > 0 else []
                return counted
            # Another kind of server understands another body; a server in trouble is not asked again.
            understands = self._left > 0 and status in {200, 400, 422}
            self._bodies = self._bodies[1:] if understands else []
        return None

    def _post(self, body: dict[str, Any]) -> tuple[int | None, Any]:
        try:
            answer = self._http.post(
                self._url, json=body, headers=self._headers, timeout=_TIMEOUT, follow_redirects=False
            )
            return answer.status_code, answer.json() if answer.is_success and len(
                answer.content
            ) <= _MOST_BYTES else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return None, None


def _counted(answer: Any) -> int | None:
    """llama.cpp lists the tokens; vLLM and SGLang give their number too."""
    if not isinstance(answer, dict):
        return None
    count, listed = answer.get("count"), answer.get("tokens")
    if isinstance(count, int) and count >= 0:
        return count
    return len(listed) if isinstance(listed, list) else None
