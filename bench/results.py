"""Results as JSON files, one for each measurement."""

import json
import pathlib
import re
from dataclasses import dataclass
from typing import Any

# A list of numbers, or of pairs of them: thousands of lines that nobody reads one by one.
_NUMBERS = re.compile(r"\[[-\d.,\s\[\]e]*\]")


def _on_one_line(found: re.Match[str]) -> str:
    return json.dumps(json.loads(found[0]))


@dataclass(frozen=True)
class Folder:
    """Where results lie."""

    path: pathlib.Path

    def save(self, name: str, content: dict[str, Any]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        text = _NUMBERS.sub(_on_one_line, json.dumps(content, indent=1, ensure_ascii=False))
        (self.path / f"{name}.json").write_text(text + "\n")

    def load(self, name: str) -> dict[str, Any] | None:
        file = self.path / f"{name}.json"
        return json.loads(file.read_text()) if file.is_file() else None
