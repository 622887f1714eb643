"""Each model server: its model, its context, its tokenizer, its gauges, one short answer, and whether it sees."""

import base64
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
from PIL import Image

from bot.doctor import rows
from bot.doctor.finding import Finding, Findings, note, ok, problem
from db import calls
from tasks.infer import client, errors, gauges
from tasks.linefile import Server
from tasks.resources import Resources
from tasks.text import tokens

_SECONDS = 3.0

# The doctor's own call: a model that thinks first may think for all of it, and has streamed all the same.
_LIMITS = client.Limits(
    connect=timedelta(seconds=3),
    stall=timedelta(seconds=10),
    first=timedelta(seconds=12),
    total=timedelta(seconds=15),
)
_ASKED = "Say OK."
_MOST_TOKENS = 16
# Models that look at 28 by 28 pixels at once refuse less than one such piece.
_SIZE = (64, 64)

# Prose of both languages, long enough for a ratio. tasks.plan leans on the estimate being 10 % short at most.
_SAMPLE = (
    "Threadline puts a scarce language model behind a fair line. Nothing is lost, and nothing is said twice. "
    "모델 서버는 하나이고 묻는 사람은 많습니다. 요청은 순서를 지켜 기다리고, 답은 스레드에 남습니다."
)
_LEAST_ESTIMATE = 0.9


def group(resources: Resources, server: Server) -> Callable[[], Findings]:
    """The checks of one server."""
    return lambda: examine(resources, server)


def examine(resources: Resources, server: Server) -> Findings:
    """In the order in which things go wrong; a server that nobody reaches gets one line."""
    check = f"model.{server.name}"
    status, listed = _get_models(resources.http, server)
    if status is None:
        yield problem(check, "doctor.model_away", url=server.url, reason=listed)
        return
    if status in {401, 403}:
        yield problem(check, "doctor.model_key", status=status)
        return
    yield from models(server, status, listed)
    yield tokenizer(server, _count(resources.http, server))
    yield told_gauges(server, gauges.read(resources.http, server.url, server.api_key))
    answered = _answer(resources, server)
    yield answered
    if server.vision and answered.state != "problem" and answered.key != "doctor.busy":
        yield _sight(resources, server)


def models(server: Server, status: int, listed: Any) -> Findings:
    """Whether the server lists the model, and with which context; from what `/v1/models` answered."""
    check = f"model.{server.name}.name"
    entries = listed.get("data") if isinstance(listed, dict) else None
    known = [each for each in entries or [] if isinstance(each, dict) and isinstance(each.get("id"), str)]
    if status != 200 or not known:
        yield note(check, "doctor.models_unlisted", status=status)
        return
    entry = next((each for each in known if each["id"] == server.model), None)
    if entry is None:
        names = ", ".join(each["id"] for each in known[:5])
        yield problem(check, "doctor.model_unknown", model=server.model, models=names)
        return
    yield ok(check, "doctor.model", model=server.model)
    yield context(server, entry.get("max_model_len"))


def context(server: Server, longest: Any) -> Finding:
    """Our context beside the server's own; vLLM and SGLang tell it with the model."""
    check = f"model.{server.name}.context"
    if not isinstance(longest, int):
        return note(check, "doctor.context_untold", ours=server.context)
    if server.context > longest:
        return problem(check, "doctor.context_over", ours=server.context, theirs=longest)
    return ok(check, "doctor.context", ours=server.context, theirs=longest)


def tokenizer(server: Server, counted: int | None) -> Finding:
    """Our estimate beside the model's own count of the sample; None: the server does not count."""
    check = f"model.{server.name}.tokenizer"
    if not counted:
        return note(check, "doctor.tokenizer_none")
    ratio = tokens.estimate(_SAMPLE) / counted
    if ratio < _LEAST_ESTIMATE:
        advised = int(server.context * ratio)
        return problem(check, "doctor.tokenizer_dear", percent=round(ratio * 100), advised=advised)
    return ok(check, "doctor.tokenizer", percent=round(ratio * 100))


def told_gauges(server: Server, found: gauges.Gauges | None) -> Finding:
    """What a learned limit can see of the server."""
    check = f"model.{server.name}.gauges"
    if found is None:
        return note(check, "doctor.gauges_none")
    return ok(check, "doctor.gauges")


def _answer(resources: Resources, server: Server) -> Finding:
    check = f"model.{server.name}.answer"
    busy = _in_flight(resources, server)
    if busy:
        # A call beside the line's own could be the one too many (I5), and those that run say more than ours would.
        return note(check, "doctor.busy", calls=busy)
    seen: list[str] = []

    def go_on(text: str, tokens_out: int) -> bool:
        seen.extend([text] if text or tokens_out else [])
        return True

    call = client.Call(server.model, [{"role": "user", "content": _ASKED}], _MOST_TOKENS)
    try:
        answer = client.complete(resources.http, server.url, server.api_key, call, _LIMITS, go_on)
    except errors.ModelError as error:
        return problem(check, "doctor.no_words", detail=error.detail)
    if not seen:
        return problem(check, "doctor.unstreamed")
    if answer.tokens_out is None:
        return note(check, "doctor.no_usage")
    return ok(check, "doctor.answer", tokens=answer.tokens_out)


def _sight(resources: Resources, server: Server) -> Finding:
    """Whether a server that is said to see takes a picture, sent as the workers send theirs."""
    check = f"model.{server.name}.vision"
    shown = {"type": "image_url", "image_url": {"url": _picture()}}
    asked = {"role": "user", "content": [{"type": "text", "text": _ASKED}, shown]}
    call = client.Call(server.model, [asked], _MOST_TOKENS)
    try:
        client.complete(
            resources.http, server.url, server.api_key, call, _LIMITS, lambda _text, _tokens: True
        )
    except errors.ModelError as error:
        return problem(check, "doctor.blind", detail=error.detail)
    return ok(check, "doctor.sees")


def _picture() -> str:
    out = io.BytesIO()
    Image.new("RGB", _SIZE, "white").save(out, "JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _in_flight(resources: Resources, server: Server) -> int:
    try:
        with rows.reading(resources) as reading:
            return calls.in_flight(reading, server.name, resources.clock())
    except rows.Unreadable:
        # Nobody can claim a call then.
        return 0


def _get_models(http: httpx.Client, server: Server) -> tuple[int | None, Any]:
    """Status and content, or None and the kind of error."""
    try:
        response = http.get(f"{server.url}/models", headers=_headers(server), timeout=_SECONDS)
        return response.status_code, response.json() if response.status_code == 200 else {}
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return None, type(error).__name__
    except ValueError:
        return 200, {}


def _count(http: httpx.Client, server: Server) -> int | None:
    """The sample's tokens by the server: vLLM takes `prompt` and counts, llama.cpp takes `content` and lists."""
    url = f"{server.url.removesuffix('/v1')}/tokenize"
    body = {"model": server.model, "prompt": _SAMPLE, "content": _SAMPLE}
    try:
        said = http.post(url, json=body, headers=_headers(server), timeout=_SECONDS).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    if not isinstance(said, dict):
        return None
    count, listed = said.get("count"), said.get("tokens")
    if isinstance(count, int):
        return count
    return len(listed) if isinstance(listed, list) else None


def _headers(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.api_key}"} if server.api_key else {}
