"""Reads the Procfile: what runs, under which name."""

import pathlib
import re

LINE = re.compile(r"^(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>.+?)\s*$")


def read(path: pathlib.Path) -> dict[str, str]:
    """From process names to commands, in the file's order."""
    found = (LINE.match(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {match["name"]: match["command"] for match in found if match}


def as_arguments(command: str) -> list[str]:
    """As a platform would run it: by a shell, which becomes the process itself, so that signals reach it."""
    return ["/bin/sh", "-c", f"exec {command}"]
