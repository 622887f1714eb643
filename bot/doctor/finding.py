"""What a check found: all is well, something to know, or something to mend."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.catalogue import say

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line of the report. `check` stays the same in every language; `key` is its text in the catalogue."""

    check: str
    state: State
    key: str
    values: dict[str, Any] = field(default_factory=dict)

    def words(self, language: str) -> str:
        """What was found, and for a problem what to do."""
        return say(language, self.key, **self.values)


Findings = Iterator[Finding]


def ok(check: str, key: str, **values: object) -> Finding:
    """All is well."""
    return Finding(check, "ok", key, values)


def note(check: str, key: str, **values: object) -> Finding:
    """It works; somebody may want to know, or to look where this cannot."""
    return Finding(check, "note", key, values)


def problem(check: str, key: str, **values: object) -> Finding:
    """Something to mend."""
    return Finding(check, "problem", key, values)
