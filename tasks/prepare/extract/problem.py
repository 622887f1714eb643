"""Why something cannot be read, as its person is told: `file.<code>` in the catalogue."""


class Problem(Exception):
    """One input cannot be read. `params` are numbers and codes for the sentence, beside the file's name."""

    def __init__(self, code: str, /, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def over(code: str, found: int, limit: int) -> Problem:
    """A limit that was passed, with both numbers as people write them."""
    return Problem(code, found=f"{found:,}", limit=f"{limit:,}")


def too_large(code: str, found: int, limit: int) -> Problem:
    """The same for bytes, in MB; rounded up, so that the two numbers always differ."""
    return Problem(code, found=f"{-(-found // 100_000) / 10:,.1f}", limit=f"{limit / 1e6:,.0f}")
