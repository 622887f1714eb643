"""How long and how large everything is."""

from dataclasses import dataclass

from bench.line.trace import Answers


@dataclass(frozen=True)
class Size:
    """Seconds, unless it says otherwise."""

    # Calls in flight that the oracle tries.
    sweep: tuple[int, ...]
    sweep_warm: float
    sweep_seconds: float
    # What a trace takes at the best limit; its last ask comes after three quarters of that.
    trace: float
    # Everybody's backlog, at the best limit; and no fewer calls of each than this.
    backlog: float
    least_each: int
    # Work that never ends, for a limit that learns; and what of it does not count.
    stream: float
    stream_warm: float


FULL = Size(
    sweep=(1, 2, 4, 6, 8, 12, 14, 16, 20, 24, 32, 48, 64),
    sweep_warm=3,
    sweep_seconds=9,
    trace=36,
    backlog=30,
    least_each=5,
    stream=150,
    stream_warm=60,
)
QUICK = Size(
    sweep=(2, 4, 6, 8, 12),
    sweep_warm=2,
    sweep_seconds=4,
    trace=12,
    backlog=8,
    least_each=2,
    stream=30,
    stream_warm=12,
)

# Where a trace has not ended after this many times what it takes at the best limit, nobody waits any longer.
GIVE_UP = 4

# So that calls last 1 to 5 s at each profile's best limit (vLLM's, with 64 in a batch, up to twice that).
ANSWERS = {
    "fragile": Answers(70, 36, 180),
    "vllm": Answers(24, 8, 80),
    "llamacpp": Answers(20, 10, 45),
    "ollama": Answers(24, 12, 60),
    "remote": Answers(100, 45, 260),
}
