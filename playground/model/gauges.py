"""What a server tells of its load: Prometheus text and llama.cpp's `/slots`."""

from typing import Any

from playground.model.engine import Engine

# name -> (Prometheus name, kind), as each server exports it.
_NAMES = {
    "vllm": {
        "running": ("vllm:num_requests_running", "gauge"),
        "waiting": ("vllm:num_requests_waiting", "gauge"),
        "memory": ("vllm:kv_cache_usage_perc", "gauge"),
        "served": ("vllm:request_success_total", "counter"),
        "preemptions": ("vllm:num_preemptions_total", "counter"),
        "tokens_in": ("vllm:prompt_tokens_total", "counter"),
        "tokens_out": ("vllm:generation_tokens_total", "counter"),
    },
    "sglang": {
        "running": ("sglang:num_running_reqs", "gauge"),
        "waiting": ("sglang:num_queue_reqs", "gauge"),
        "memory": ("sglang:token_usage", "gauge"),
    },
    "llamacpp": {
        "running": ("llamacpp:requests_processing", "gauge"),
        "waiting": ("llamacpp:requests_deferred", "gauge"),
        "tokens_in": ("llamacpp:prompt_tokens_total", "counter"),
        "tokens_out": ("llamacpp:tokens_predicted_total", "counter"),
    },
    "tgi": {
        "running": ("tgi_batch_current_size", "gauge"),
        "waiting": ("tgi_queue_size", "gauge"),
    },
    # Ollama has no metrics (none found in its source), nor have a naive service and a hosted API.
    "ollama": {},
    "naive": {},
    "openai": {},
}


def metrics(engine: Engine, model: str) -> str | None:
    """The text of `/metrics`, None for a server that has none."""
    names = _NAMES[engine.shape.flavour]
    label = f'{{model_name="{model}"}}' if engine.shape.flavour in ("vllm", "sglang") else ""
    engine.advance()
    waiting = len(engine.waiting)
    if engine.shape.flavour == "llamacpp":
        # What llama.cpp calls deferred found every slot taken; the others come in with the next step.
        waiting = max(0, waiting - max(0, engine.shape.slots - len(engine.running)))
    values = {
        "running": len(engine.running),
        "waiting": waiting,
        "memory": engine.memory_used / engine.shape.memory_tokens if engine.shape.memory_tokens else 0.0,
        "served": engine.record.served,
        "preemptions": engine.record.preemptions,
        "tokens_in": engine.record.tokens_in,
        "tokens_out": engine.record.tokens_out,
    }
    lines = [
        f"# TYPE {name} {kind}\n{name}{label} {float(values[key])}\n" for key, (name, kind) in names.items()
    ]
    return "".join(lines) if names else None


def slots(engine: Engine) -> list[dict[str, Any]]:
    """One entry a slot, as llama.cpp lists them."""
    engine.advance()
    running = list(engine.running)
    return [
        {
            "id": number,
            "n_ctx": engine.shape.context,
            "is_processing": number < len(running),
            "id_task": int(running[number].id.rpartition("-")[2]) if number < len(running) else -1,
        }
        for number in range(max(engine.shape.slots, len(running)))
    ]
