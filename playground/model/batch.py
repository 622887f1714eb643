"""Continuous batching, one step at a time: who computes what in the next step, and how long it takes.

After vLLM's scheduler (V1): running calls first, oldest first; then those that wait, while budget, slots and
memory last. A call that needs memory when there is none takes it from the latest-started one, which goes back to
the front of the queue and computes everything anew (Kwon et al., SOSP 2023, section 4.5: recomputation).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from playground.model.call import Call
from playground.model.shape import Shape

_NO_LIMIT = 10**12  # tokens


def step_seconds(shape: Shape, sequences: int, tokens: int, cached: int) -> float:
    """How long a step takes in which `sequences` calls compute `tokens` tokens and read `cached` of KV cache.

    A roofline: the weights are read once a step for all, the KV cache once for each; a sequence's own first token
    costs `sequence_seconds`, and what is more, prompts being prefilled, is computed at the prefill rate.
    """
    prefill = (tokens - sequences) / shape.prefill_tokens_per_second if shape.prefill_tokens_per_second else 0
    return (
        shape.step_seconds
        + sequences * shape.sequence_seconds
        + cached * shape.kv_token_seconds
        + max(0.0, prefill)
    )


@dataclass
class Step:
    """One step: tokens to compute for each call, and who had to go or could come before it."""

    work: dict[Call, int] = field(default_factory=dict)
    preempted: list[Call] = field(default_factory=list)
    admitted: list[Call] = field(default_factory=list)
    ends: float = 0.0

    def seconds(self, shape: Shape) -> float:
        """How long it takes."""
        cached = sum(call.cached for call in self.work)
        return step_seconds(shape, len(self.work), sum(self.work.values()), cached)


def plan(shape: Shape, running: Sequence[Call], waiting: Sequence[Call], *, admit: bool = True) -> Step:
    """The next step for these calls, which it leaves as they are; `running` is in order of start."""
    step = Step()
    staying = list(running)
    budget = shape.batch_tokens
    # Memory of the running calls is counted at every step: paged, so that a call holds what it has used.
    free = _NO_LIMIT if shape.memory_tokens is None else shape.memory_tokens
    free -= sum(call.cached for call in staying)
    place = 0
    while place < len(staying):
        call = staying[place]
        wanted = _wants(call, budget)
        # The last one is let over the limit, which it can meet only after the limit was lowered.
        while wanted > free and len(staying) > 1:
            victim = staying.pop()
            step.preempted.append(victim)
            free += victim.cached
            if victim is call:
                break
        if step.preempted and step.preempted[-1] is call:
            break
        if wanted > 0:
            step.work[call] = wanted
            budget -= wanted
            free -= wanted
        place += 1
    if not admit or step.preempted:
        return step
    for call in waiting:
        wanted = _wants(call, budget)
        # Its whole prompt must fit, though only a piece is computed now: else it would soon be thrown out again.
        if budget <= 0 or len(staying) + len(step.admitted) >= shape.slots or call.missing > free:
            break
        step.admitted.append(call)
        if wanted > 0:
            step.work[call] = wanted
            budget -= wanted
            free -= wanted
    return step


def _wants(call: Call, budget: int) -> int:
    """Tokens it can compute next. While its text is not known it prefills all but the last one."""
    return max(0, min(call.missing - (call.tokens_out >= call.goal), budget))
