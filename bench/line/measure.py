"""One line for everybody, beside what people would put before a model server instead.

First an oracle finds each profile's best number of calls in flight; then everybody plays the same traces.
"""

import concurrent.futures
import functools
import random
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from bench.line import contenders, rounds, sizes
from bench.line.model import PROFILES
from bench.line.rounds import Best
from bench.line.sizes import FULL, QUICK, Size
from bench.line.threadline import Watch, threadline
from bench.line.trace import PEOPLE, Trace
from bench.say import Say

Data = dict[str, Any]
LITELLM = "litellm"
# Name -> what makes it, for a profile and the best number of calls.
MAKES: dict[str, contenders.Make] = {
    "oracle": contenders.oracle,
    "naive": contenders.naive,
    "semaphore": functools.partial(contenders.naive, semaphore=contenders.SEMAPHORE),
    "celery": contenders.celery,
    "celery2": functools.partial(contenders.celery, workers=2),
    LITELLM: contenders.litellm,
    "fixed": lambda profile, calls: threadline(profile, str(calls)),
    "auto": lambda profile, _: threadline(profile, "auto"),
}
STREAMS = ("fixed", "auto")
# Who also plays the trace without the flood; of the others, their answers say enough.
CALM = ("celery", "fixed", "auto")


def measure(
    seed: random.Random,
    say: Say,
    *,
    quick: bool,
    profiles: Sequence[str] = PROFILES,
    together: int = 1,
    only: Sequence[str] = tuple(MAKES),
) -> Data:
    """Everything for each profile; `together` runs at a time, each with processes and ports of its own."""
    size, number = QUICK if quick else FULL, seed.getrandbits(32)
    tell = _locked(say)
    left_out = set() if contenders.litellm_version() else {LITELLM}
    names = [name for name in MAKES if name in only and name not in left_out]
    with concurrent.futures.ThreadPoolExecutor(together) as pool:
        tell(f"the best number of calls in flight for {', '.join(profiles)}")
        bests = dict(
            zip(profiles, pool.map(lambda one: _sweep(tell, one, size, number), profiles), strict=True)
        )
        begun: list[tuple[Data, str, concurrent.futures.Future[Data]]] = []
        cases = []
        for profile, best in bests.items():
            case: Data = {"profile": profile, **vars(best), "contenders": {}, "streams": {}}
            cases.append(case)
            run = functools.partial(_guarded, tell, profile, size, number, best)
            begun += [
                (case["streams"], name, pool.submit(run, name, _stream)) for name in STREAMS if name in names
            ]
            begun += [(case["contenders"], name, pool.submit(run, name, _traces)) for name in names]
        for place, name, future in begun:
            place[name] = future.result()
    return {
        "people": len(PEOPLE),
        "seconds": vars(size),
        "litellm": contenders.litellm_version(),
        "together": together,
        "cases": cases,
    }


def _sweep(say: Say, profile: str, size: Size, number: int) -> Best:
    best = rounds.sweep(profile, size, Trace(number, sizes.ANSWERS[profile]))
    tried = ", ".join(f"{one['calls']}: {one['tokens_per_second']:.0f}" for one in best.sweep)
    say(
        f"  {profile}: {best.calls} in flight, {best.calls_per_second:.1f} calls a second (tokens a second, {tried})"
    )
    return best


def _guarded(
    say: Say,
    profile: str,
    size: Size,
    number: int,
    best: Best,
    name: str,
    run: Callable[[Say, str, Size, Trace, Best, str], Data],
) -> Data:
    """One run; one that breaks is told, and does not end the others, which may have taken an hour."""
    try:
        return run(say, profile, size, Trace(number, sizes.ANSWERS[profile]), best, name)
    except Exception as error:  # noqa: BLE001  # A door: the other runs go on.
        say(f"  {profile}, {name}: broke\n{traceback.format_exc()}")
        return {"broke": f"{type(error).__name__}: {error}"[:300]}


def _traces(say: Say, profile: str, size: Size, trace: Trace, best: Best, name: str) -> Data:
    """The calm trace, the same with a flood, and everybody's backlog."""
    asks = rounds.asks(trace, size, best)
    with MAKES[name](profile, best.calls) as contender:
        kinds = [kind for kind in asks if kind != "calm" or name in CALM]
        found = {kind: rounds.run(contender, kind, asks[kind], size, best) for kind in kinds}
    flood, backlog = found["flood"], found["backlog"]
    say(
        f"  {profile}, {name}: {flood['answered']:.1%} answered, {flood['refused']} refused, in {flood['seconds']:.0f} s, "
        f"peak {flood['peak']}, Jain {backlog['jain']}"
    )
    return found


def _stream(say: Say, profile: str, size: Size, trace: Trace, best: Best, name: str) -> Data:
    """Work that never ends."""
    watch = Watch()
    with threadline(profile, "auto" if name == "auto" else str(best.calls), watch) as contender:
        found = rounds.stream(contender, trace, size, best, watch)
    say(
        f"  {profile}, {name}, all the time: {found['tokens_per_second']:.0f} tokens a second after "
        f"{size.stream_warm:g} s, {found['refused_share']:.1%} refused"
    )
    return found


def _locked(say: Say) -> Say:
    """Lines of several runs do not mix."""
    lock = threading.Lock()

    def told(words: str) -> None:
        with lock:
            say(words)

    return told  # type: ignore[return-value]  # It does of Say what is needed here.
