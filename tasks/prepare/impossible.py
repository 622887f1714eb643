"""Why a whole request cannot be prepared."""


class Impossible(Exception):
    """The job cannot be done as asked; the person is told `error.<code>` from the catalogue."""

    def __init__(self, code: str, /, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
