"""`python -m bot admin <words>`: the owners' orders at a terminal, where whoever may start us is an owner."""

import getpass
import re
from collections.abc import Sequence

from bot.owners import answer
from bot.owners.orders import Owner
from tasks.resources import Resources

_LINK = re.compile(r"<(?:[@#]|!subteam\^)([A-Z0-9]+)>")


def main(resources: Resources, words: Sequence[str]) -> int:
    """Do it and print what was done; 1: it could not be done, 2: it is no order."""
    owner = Owner(f"cli:{getpass.getuser()}"[:64])
    language = resources.settings.language
    told = answer.answer(resources, language, " ".join(words), owner, "python -m bot admin")
    print(_LINK.sub(r"\1", told.text))  # noqa: T201 (a command prints its answer)
    return told.code
