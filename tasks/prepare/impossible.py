"""Why a whole request cannot be prepared."""


class Impossible(Exception):
    """The job cannot be done as asked; the person is told `error.<code>` from the catalogue.

    Its params may have a line for each language.
    """

    def __init__(self, code: str, /, **params: str | int | dict[str, str]) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
