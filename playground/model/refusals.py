"""What the real servers answer when they will not or cannot serve, by flavour.

Read from vLLM 0.33, SGLang 0.5.23, llama.cpp and Ollama of summer 2026, and TGI (docs: model servers).
"""

from dataclasses import dataclass, field
from json import dumps
from typing import Any

from playground.model.quota import Spent

Body = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """An answer other than 200."""

    status: int
    body: Body
    headers: dict[str, str] = field(default_factory=dict)


def busy(flavour: str) -> Refusal:
    """No room for one more call, now."""
    return {
        "vllm": Refusal(503, _vllm(503, "Service Unavailable", _VLLM_BUSY)),
        "sglang": Refusal(503, _sglang(503, "ServiceUnavailable", "The request queue is full.")),
        "llamacpp": Refusal(503, _llamacpp(503, "unavailable_error", "no slot available")),
        "ollama": Refusal(503, _ollama("api_error", _OLLAMA_BUSY)),
        "tgi": Refusal(429, {"error": "Model is overloaded", "error_type": "overloaded"}),
        "naive": Refusal(503, {"detail": "server busy"}),
        "openai": Refusal(503, _openai("server_error", _OPENAI_BUSY)),
    }[flavour]


def rate_limited(flavour: str, retry_after: float | None) -> Refusal:
    """Too many requests in this minute, as a hosted API or TGI says it."""
    message = "Rate limit reached for requests. Please try again later."
    body = {"error": {"message": message, "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    refusal = busy("tgi") if flavour == "tgi" else Refusal(429, body)
    return with_retry_after(refusal, 1 if retry_after is None else retry_after)


def spent(what: Spent, model: str) -> Refusal:
    """A customer's limit is reached at a hosted API, in OpenAI's words."""
    if what.kind == "concurrent":
        message = "Too many requests at the same time. Please try again later."
    else:
        name = {"requests": "requests per min (RPM)", "tokens": "tokens per min (TPM)"}[what.kind]
        message = f"Rate limit reached for {model} on {name}: Limit {what.limit}, Used {what.used}, "
        message += f"Requested {what.requested}. Please try again in {what.seconds:.3f}s."
    kind = "tokens" if what.kind == "tokens" else "requests"
    return with_retry_after(Refusal(429, _openai(kind, message, "rate_limit_exceeded")), what.retry_after)


def out_of_memory(flavour: str) -> Refusal:
    """The GPU's memory is full; in vLLM and llama.cpp this comes as a plain 500."""
    return {
        "vllm": Refusal(500, _vllm(500, "InternalServerError", _CUDA)),
        "sglang": Refusal(500, _sglang(500, "InternalServerError", _CUDA)),
        "llamacpp": Refusal(500, _llamacpp(500, "server_error", _GGML)),
        "ollama": Refusal(500, _ollama("api_error", f"llama runner process has terminated: {_GGML}")),
        "tgi": Refusal(
            424,
            {"error": f"Request failed during generation: Server error: {_CUDA}", "error_type": "generation"},
        ),
        "naive": Refusal(500, {"detail": _CUDA}),
        "openai": Refusal(500, _openai("server_error", f"{_OPENAI_ERROR} ({_CUDA})")),
    }[flavour]


def loading(flavour: str) -> Refusal:
    """The weights are not in memory yet. vLLM does not even listen then: order `down` for that."""
    if flavour == "ollama":
        return Refusal(503, _ollama("api_error", "llm server loading model"))
    return Refusal(503, _llamacpp(503, "unavailable_error", "Loading model"))


def too_long(flavour: str, tokens: int, limit: int, max_tokens: int = 0) -> Refusal:
    """The prompt, or the prompt with its answer, does not fit the context of `limit` tokens."""
    whole = f"Requested token count exceeds the model's maximum context length of {limit} tokens. "
    whole += (
        f"You requested a total of {tokens + max_tokens} tokens: {tokens} tokens from the input messages "
    )
    whole += f"and {max_tokens} tokens for the completion."
    own = f"This model's maximum context length is {limit} tokens. However, your prompt contains {tokens} "
    own += "input tokens. Please reduce the length of the input prompt."
    fits = f"request ({tokens} tokens) exceeds the available context size ({limit} tokens), try increasing it"
    sized = _llamacpp(400, "exceed_context_size_error", fits)
    sized["error"] |= {"n_prompt_tokens": tokens, "n_ctx": limit}
    sums = f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {limit}. "
    sums += f"Given: {tokens} `inputs` tokens and {max_tokens} `max_new_tokens`"
    shift = "the prompt is longer than the context length currently available to the model"
    return {
        "vllm": Refusal(400, _vllm(400, "BadRequestError", own, "input_tokens")),
        "sglang": Refusal(400, _sglang(400, "BadRequest", whole)),
        "llamacpp": Refusal(400, sized),
        "ollama": Refusal(400, _ollama("invalid_request_error", shift)),
        "tgi": Refusal(422, {"error": sums, "error_type": "validation"}),
        "naive": Refusal(400, {"detail": own}),
        "openai": Refusal(400, _openai("invalid_request_error", own, "context_length_exceeded")),
    }[flavour]


def unknown_model(flavour: str, model: str) -> Refusal:
    """No such model here."""
    if flavour == "ollama":
        return Refusal(404, _ollama("not_found_error", f'model "{model}" not found, try pulling it first'))
    return Refusal(404, _vllm(404, "NotFoundError", f"The model `{model}` does not exist.", "model"))


def wrong_key(flavour: str) -> Refusal:
    """The bearer token is missing or wrong."""
    if flavour == "llamacpp":
        return Refusal(401, _llamacpp(401, "authentication_error", "Invalid API Key"))
    return Refusal(401, {"error": "Unauthorized"})


def bad_request(flavour: str, message: str) -> Refusal:
    """The request is not one that can be served, ever."""
    if flavour == "llamacpp":
        return Refusal(400, _llamacpp(400, "invalid_request_error", message))
    return Refusal(400, _vllm(400, "BadRequestError", message))


def in_stream(flavour: str) -> bytes:
    """An error after the stream began, so inside a 200, with the framing of each server."""
    message = "The server had an error while processing your request."
    framing = {
        "vllm": f"data: {dumps(_vllm(500, 'InternalServerError', message))}\n\ndata: [DONE]\n\n",
        "sglang": f"data: {dumps(_vllm(500, 'InternalServerError', message))}\n\ndata: [DONE]\n\n",
        "llamacpp": f"error: {dumps(_llamacpp(500, 'server_error', message)['error'])}\n\n",
        "ollama": dumps(_ollama("api_error", message)) + "\n",
        "tgi": f"data: {dumps({'error': message, 'error_type': 'generation'})}\n\n",
        "naive": f"data: {dumps({'error': message})}\n\n",
        "openai": f"data: {dumps(_openai('server_error', message))}\n\n",
    }
    return framing[flavour].encode()


def with_retry_after(refusal: Refusal, seconds: float | None) -> Refusal:
    """The same with a Retry-After header, when seconds are given (RFC 9110: whole seconds)."""
    if seconds is None:
        return refusal
    whole = str(int(seconds)) if seconds == int(seconds) else str(seconds)
    return Refusal(refusal.status, refusal.body, refusal.headers | {"retry-after": whole})


_VLLM_BUSY = (
    "The engine is currently busy and cannot accept new requests. "
    "Please try again later or on a different instance."
)
_OLLAMA_BUSY = "server busy, please try again.  maximum pending requests exceeded"
_OPENAI_BUSY = "The engine is currently overloaded, please try again later"
_OPENAI_ERROR = "The server had an error while processing your request. Sorry about that!"
_CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB "
    "of which 1.12 GiB is free."
)
_GGML = (
    "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 512.00 MiB on device 0: "
    "cudaMalloc failed: out of memory"
)


def _vllm(code: int, kind: str, message: str, param: str | None = None) -> Body:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _sglang(code: int, kind: str, message: str) -> Body:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def _llamacpp(code: int, kind: str, message: str) -> Body:
    return {"error": {"code": code, "message": message, "type": kind}}


def _openai(kind: str, message: str, code: str | None = None) -> Body:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _ollama(kind: str, message: str) -> Body:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
