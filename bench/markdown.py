"""Pieces of docs/benchmarks.md."""

from collections.abc import Iterable
from typing import Any


def section(title: str, about: dict[str, Any], *parts: str) -> str:
    """A chapter, with the machine and the command that its numbers come from."""
    machine = about["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    note = (
        f"`{about['command']}`, {machine['date']}, revision {machine['revision']}, {about['seconds']} s. "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, {machine['system']}, fsync "
        f"{machine['fdatasync_ms']} ms, load before the run {machine['load_before']}. {versions}."
    )
    return "\n".join([f"## {title}\n", *(f"{part.rstrip()}\n" for part in parts), f"<sub>{note}</sub>\n"])


def table(columns: list[str], rows: Iterable[list[str]]) -> str:
    """A table, its first row the columns."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def ms(seconds: float) -> str:
    """Seconds as milliseconds."""
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 100 else f"{milliseconds:,.0f} ms"


def met(yes: bool) -> str:
    """Whether an aim is met."""
    return "met" if yes else "**missed**"
