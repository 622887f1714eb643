"""Calls at a pace of their own, whoever else is running: the speed of a server that is never too full."""

import math

from playground.model.call import Call
from playground.model.shape import Shape


def start(shape: Shape, call: Call, now: float) -> None:
    """It got a slot: its first token comes after the prefill and the server's own delay."""
    rate = shape.prefill_tokens_per_second
    call.ready_at = now + (call.tokens_in / rate if rate else 0) + shape.first_token_seconds
    call.paced_from = None


def expected(call: Call, now: float) -> None:
    """Its text is known only now, maybe after the prefill: tokens come from here on."""
    if call.paced_from is None and now > call.ready_at:
        call.paced_from, call.paced_tokens = now, call.tokens_out


def changed(shape: Shape, call: Call, now: float) -> None:
    """The server has another pace from now on; what was made stays made."""
    if call.tokens_out:
        call.ready_at, call.paced_from, call.paced_tokens = now, now, call.tokens_out
    else:
        start(shape, call, now)


def due(shape: Shape, call: Call, now: float) -> int:
    """How many tokens it should have made by now."""
    if now < call.ready_at or not call.goal:
        return call.tokens_out
    if call.paced_from is None:
        call.paced_from, call.paced_tokens = call.ready_at, call.tokens_out
    if not shape.tokens_per_second:
        return call.goal
    # The first token comes at once; and a clock read just before a token is due has reached it.
    made = call.paced_tokens + 1 + int((now - call.paced_from) * shape.tokens_per_second + 1e-6)
    return min(call.goal, made)


def next_at(shape: Shape, call: Call, beat_at: float) -> float:
    """When to look at it again: its next token, but not before the beat, or its last one."""
    if call.tokens_out >= call.goal and not call.complete:
        return math.inf  # until its text, or more of it, is known
    if call.paced_from is None or call.complete or not shape.tokens_per_second:
        return call.ready_at
    made = call.tokens_out - call.paced_tokens
    ends = math.inf
    if call.last:
        ends = call.paced_from + (call.goal - call.paced_tokens - 1) / shape.tokens_per_second
    return min(ends, max(beat_at, call.paced_from + made / shape.tokens_per_second))
