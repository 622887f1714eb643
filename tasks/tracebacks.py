"""Tracebacks for the log: which error, and where; its message only where no library puts people's words (I10)."""

from typing import Any, TextIO

from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import ExcInfo

# What these say is about code, or about the database's state: its parameters are hidden (db.session). All others
# may quote what they were given: `invalid literal for int()`, a KeyError's key, a parser's line.
_ABOUT_CODE = frozenset({
    "AttributeError", "ImportError", "ModuleNotFoundError", "NameError", "NotImplementedError", "RecursionError",
    "TypeError", "UnboundLocalError", "ZeroDivisionError",
    "IntegrityError", "InternalError", "OperationalError", "ProgrammingError",
})  # fmt: skip

_frames = ExceptionDictTransformer(show_locals=False)


def outline(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """The chain of errors, the last one first, each with its frames; without local variables."""
    return _wordless(_frames(exc_info))


def write(to: TextIO, exc_info: ExcInfo) -> None:
    """The same as lines for people, the last error at the end."""
    for number, error in enumerate(reversed(outline(exc_info))):
        if number:
            to.write("then\n")
        to.writelines(
            f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}\n'
            for frame in error["frames"]
        )
        says = f": {error['exc_value']}" if error["exc_value"] else ""
        to.write(f"{error['exc_type']}{says}\n")


def _wordless(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for error in errors:
        error["exc_notes"], error["syntax_error"] = [], None
        if error["exc_type"] not in _ABOUT_CODE:
            error["exc_value"] = ""
        for group in error.get("exceptions") or []:
            _wordless(group)
    return errors
