"""Five servers that people really stand in front of, as settings of one shape; their story: docs/model-stand-in.md."""

from typing import Any

# Streams come in bursts of 0.1 s, which a reader does not notice and a laptop's processor does.
_BURST = {"stream_seconds": 0.1}

SETTINGS: dict[str, dict[str, Any]] = {
    # The service of the product's story: every call is taken at once, until the one that is too many.
    "fragile": _BURST
    | {
        "flavour": "naive",
        "slots": 6,
        "queue": 0,
        "when_full": "out_of_memory",
        "tokens_per_second": 40.0,
        "prefill_tokens_per_second": 4000.0,
    },
    # An 8B model in 6 bits (6 GB) with 6 GB of KV cache on a card of 300 GB/s, such as NVIDIA's L4.
    "vllm": _BURST
    | {
        "flavour": "vllm",
        "slots": 64,
        "memory_tokens": 49_152,
        "memory_full": "preempt",
        "step_seconds": 0.020,
        "sequence_seconds": 0.002,
        "kv_token_seconds": 4.4e-7,  # 128 KiB a token (Llama 3 8B in 16 bits) at 300 GB/s
        "prefill_tokens_per_second": 4000.0,
        "batch_tokens": 2048,  # vLLM: max_num_batched_tokens of an online server on such a card
    },
    # The same model on a desktop card: 4 slots, and batching that helps less.
    "llamacpp": _BURST
    | {
        "flavour": "llamacpp",
        "slots": 4,
        "loading_seconds": 3.0,
        "step_seconds": 0.025,
        "sequence_seconds": 0.015,
        "kv_token_seconds": 4.4e-7,
        "prefill_tokens_per_second": 1000.0,
        "batch_tokens": 2048,  # llama.cpp: --batch-size
    },
    "ollama": _BURST
    | {
        "flavour": "ollama",
        "slots": 2,
        "loading_seconds": 3.0,
        "step_seconds": 0.025,
        "sequence_seconds": 0.015,
        "kv_token_seconds": 4.4e-7,
        "prefill_tokens_per_second": 1000.0,
        "batch_tokens": 512,  # Ollama: num_batch
    },
    # A hosted API: quick for everybody, and strict with each customer.
    "remote": _BURST
    | {
        "flavour": "openai",
        "slots": 24,
        "queue": 0,
        "when_full": "rate_limited",
        "tokens_per_second": 60.0,
        "first_token_seconds": 0.3,
        "requests_per_minute": 360,
        "tokens_per_minute": 600_000,
        "burst_seconds": 2.0,
    },
}
