"""Who asks what, when: the same for every contender.

24 people, heavy-tailed lengths, bursts, and one who floods. All of it comes from a seed, and its size from the rate
that the model server can do at its best, so that every profile is loaded alike.
"""

import dataclasses
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

LIGHT = tuple(f"light-{number:02d}" for number in range(1, 24))
FLOODER = "flooder"
PEOPLE = (*LIGHT, FLOODER)

# Shares of what the server can do at its best.
LIGHT_LOAD = 0.55
FLOOD_SHARE = 0.4
BURST = 3  # asks on average, within a second
FLOOD_AT = 1 / 6  # of the trace: 10 s of a minute

# A message at the median, a document at the most; far below what takes a second model call. The recipe's
# instructions come on top, about 200 tokens.
PROMPT_MEDIAN, PROMPT_SIGMA, PROMPT_LEAST, PROMPT_MOST = 70, 1.0, 20, 1500

# Each at most six letters: one token each in the stand-in's count.
_WORDS = (
    "the",
    "queue",
    "keeps",
    "its",
    "order",
    "while",
    "every",
    "wish",
    "waits",
    "for",
    "a",
    "free",
    "slot",
)


@dataclass(frozen=True)
class Ask:
    """One wish for one model call. `at` is in seconds from the start of the trace."""

    number: int
    at: float
    person: str
    tokens_in: int
    tokens_out: int

    def text(self) -> str:
        """What is asked: so many tokens, and words that tell the stand-in how long its answer is."""
        words = " ".join(_WORDS[place % len(_WORDS)] for place in range(self.tokens_in))
        return f"Wish {self.number}, answer in {self.tokens_out} tokens: {words}."


@dataclass(frozen=True)
class Answers:
    """How long answers are, in tokens: lognormal, cut at both ends."""

    median: int
    least: int
    most: int
    sigma: float = 0.6


class Trace:
    """Draws asks; one seed draws the same ones again."""

    def __init__(self, seed: int, answers: Answers) -> None:
        self._random = random.Random(seed)
        self._answers = answers

    def calm(self, rate: float, seconds: float) -> list[Ask]:
        """The light people alone: bursts at random moments, until three quarters of the time are over."""
        asks, at, bursts = [], 0.0, rate * LIGHT_LOAD / BURST
        while (at := at + self._random.expovariate(bursts)) < 0.75 * seconds:
            asks += [
                self._ask(at + self._random.random(), self._random.choice(LIGHT))
                for _ in range(self._burst())
            ]
        return _in_order(asks)

    def flooded(self, calm: Sequence[Ask], rate: float, seconds: float) -> list[Ask]:
        """The same light people with the same asks, and one who sends a large batch."""
        size = max(1, round(rate * seconds * FLOOD_SHARE))
        at = seconds * FLOOD_AT
        batch = [self._ask(at + self._random.random() / 2, FLOODER) for _ in range(size)]
        # The light people's asks keep their numbers, and with them their words.
        batch = [dataclasses.replace(ask, number=len(calm) + place) for place, ask in enumerate(batch)]
        return sorted([*calm, *batch], key=lambda ask: ask.at)

    def backlogged(self, each: int) -> list[Ask]:
        """Everybody asks for `each` calls at once, in no order. Some people's texts are longer than others'."""
        scales = {person: self._random.lognormvariate(0, 0.3) for person in PEOPLE}
        asks = [self._ask(0, person, scales[person]) for person in PEOPLE for _ in range(each)]
        self._random.shuffle(asks)
        return [dataclasses.replace(ask, number=number) for number, ask in enumerate(asks)]

    def stream(self, count: int) -> list[Ask]:
        """Work that is always there: `count` asks of people in turns.

        About as long as the others on average, and much alike: what a minute's throughput is then depends on the
        server, and not on who was served in it.
        """
        return [self._even(place) for place in range(count)]

    def _even(self, number: int) -> Ask:
        prompt = PROMPT_MEDIAN * math.exp(PROMPT_SIGMA**2 / 2)
        answer = self._answers.median * math.exp(self._answers.sigma**2 / 2)
        sizes = [round(mean * self._random.uniform(0.75, 1.25)) for mean in (prompt, answer)]
        return Ask(number, 0, PEOPLE[number % len(PEOPLE)], *sizes)

    def _burst(self) -> int:
        # Geometric: most bursts are one or two, some are ten.
        return 1 + int(math.log(1 - self._random.random()) / math.log(1 - 1 / BURST))

    def _ask(self, at: float, person: str, scale: float = 1) -> Ask:
        prompt = self._random.lognormvariate(math.log(PROMPT_MEDIAN * scale), PROMPT_SIGMA)
        answer = self._random.lognormvariate(math.log(self._answers.median * scale), self._answers.sigma)
        return Ask(
            0,
            at,
            person,
            round(min(max(prompt, PROMPT_LEAST), PROMPT_MOST)),
            round(min(max(answer, self._answers.least), self._answers.most)),
        )


def _in_order(asks: Sequence[Ask]) -> list[Ask]:
    ordered = sorted(asks, key=lambda ask: ask.at)
    return [dataclasses.replace(ask, number=number) for number, ask in enumerate(ordered)]
