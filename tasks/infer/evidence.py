"""What answered calls tell of a model server's speed at one number of calls in flight."""

from dataclasses import dataclass

from db.calls import Answered

# A prompt's token costs a fraction of an answer's: prompts are read in parallel, answers written one by one.
# Only noise depends on it: the mean stays right for any weight, as long as people's texts stay alike.
_PROMPT_WEIGHT = 1 / 8


def work(call: Answered) -> float:
    """What a call took of the server, in tokens of an answer."""
    return call.tokens_out + call.tokens_in * _PROMPT_WEIGHT


@dataclass(frozen=True)
class Evidence:
    """Weighted sums over calls that ran at one level: enough for their speed, and for how sure it is."""

    calls: float = 0.0
    work: float = 0.0
    seconds: float = 0.0
    work_work: float = 0.0
    work_seconds: float = 0.0
    seconds_seconds: float = 0.0

    def and_call(self, call: Answered) -> "Evidence":
        """With one more call."""
        done = work(call)
        return Evidence(
            self.calls + 1,
            self.work + done,
            self.seconds + call.seconds,
            self.work_work + done * done,
            self.work_seconds + done * call.seconds,
            self.seconds_seconds + call.seconds * call.seconds,
        )

    def times(self, weight: float) -> "Evidence":
        """The same, worth less or more."""
        return Evidence(*(weight * value for value in vars(self).values()))

    @property
    def known(self) -> bool:
        """Whether it says anything."""
        return self.calls >= 1 and self.work > 0 and self.seconds > 0

    @property
    def variance(self) -> float:
        """Of the logarithm of work / seconds: a ratio estimator's, shrunk to 0.4 a call where calls are few.

        Cochran, Sampling Techniques, 1977, section 6.3.
        """
        spread = (
            self.work_work / self.work**2
            - 2 * self.work_seconds / (self.work * self.seconds)
            + self.seconds_seconds / self.seconds**2
        ) * self.calls
        return (self.calls * max(0.0, spread) + 2 * 0.4**2) / (self.calls + 2) / self.calls
