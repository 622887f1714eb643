"""What an answer looks like while the model still writes it: its last lines, moving on."""

import re

from tasks.deliver import markdown
from tasks.deliver.message import Message

# A card should not push the talk around it out of sight.
MAX_CHARACTERS = 700
MAX_LINES = 10

# Half an address may be somebody else's.
_OPEN_LINK = re.compile(r"\S*://\S*\Z")
_FENCE = re.compile(r"^ {0,3}(?:`{3}|~{3})", re.MULTILINE)


def message(text: str) -> Message | None:
    """The end of `text`, a Markdown answer that is not complete; None where there is nothing to see.

    Placeholders stay: the values behind them are shown with the answer, in its thread.
    """
    written = _OPEN_LINK.sub("", text).strip()
    shown = _end(written)
    if len(_FENCE.findall(written[: len(written) - len(shown)])) % 2:
        # It begins inside of a block of code.
        shown = f"```\n{shown}"
    messages = markdown.render(shown, max_messages=1).messages
    return messages[0] if messages else None


def _end(written: str) -> str:
    end = "".join(written[-MAX_CHARACTERS:].splitlines(keepends=True)[-MAX_LINES:])
    if len(end) == len(written):
        return end
    before = written[len(written) - len(end) - 1]
    if before == "\n":
        return end
    # Neither half a word nor, where lines are short, half a line.
    line, space = end.find("\n"), end.find(" ")
    cut = line if 0 <= line < len(end) // 3 else space
    return end[cut + 1 :]
