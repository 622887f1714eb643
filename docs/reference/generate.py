"""Writes settings.md from the settings class: `make docs`. A test compares the two."""
# ruff: noqa: INP001, T201 (a script of its own)

import pathlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from annotated_types import Ge, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tasks.settings import Settings

PAGE = pathlib.Path(__file__).with_name("settings.md")

# In the order of the page; a setting that no group takes comes last.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Slack": ("slack_",),
    "Alerts by mail": ("alert_",),
    "Model server": ("llm_", "line_"),
    "Database and broker": ("database_", "broker_"),
    "Requests": ("job_", "retention", "redaction", "most_", "admins"),
    "Processes": ("prepare_", "infer_", "deliver_"),
    "Web": ("api_", "host", "port"),
    "Words and logs": ("language", "log_"),
}

HEAD = """\
# Settings

<!-- Written by docs/reference/generate.py from tasks/settings.py: change it there, then `make docs`. -->

Threadline is configured by environment variables alone. A file `.env` in the folder that the process starts
in is read as well; the environment wins. A variable that is set to nothing counts as not set. Every process
reads all of them once, when it starts; after a change, restart it.

- Durations are ISO 8601 (`PT30S`, `PT10M`, `P30D`) or `HH:MM:SS`.
- A setting that is wrong is named in one sentence, and the process ends with exit code 2.
- Secrets never show in a log or in an error.
- All processes must see the same values. `web` alone reads the settings of the group Web.

Which ones are needed: `release` needs `DATABASE_URL` alone. All others need `SLACK_BOT_TOKEN` and the model
server too, by `LLM_URL` and `LLM_MODEL` or by `LINE_FILE`
([several model servers](../how-to/several-model-servers.md)), and `web` also `SLACK_SIGNING_SECRET` or
`SLACK_APP_TOKEN`. `make run` fills in what is not set with its stand-ins; the playground's own settings are in
[its README](../../playground/README.md).
"""


def page() -> str:
    """The whole page."""
    left = dict(Settings.model_fields)
    parts = [HEAD]
    for title, starts in GROUPS.items():
        chosen = {name: left.pop(name) for name in [*left] if name.startswith(starts)}
        parts.append(_table(title, chosen))
    if left:
        parts.append(_table("Other", left))
    return "\n".join(parts)


def _table(title: str, fields: Mapping[str, FieldInfo]) -> str:
    rows = [
        f"| `{name.upper()}` | {_default(field)} | {field.description}{_bounds(field)} |"
        for name, field in fields.items()
    ]
    return "\n".join([f"## {title}", "", "| name | default | meaning |", "|---|---|---|", *rows, ""])


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, timedelta):
        return f"`{_iso(value)}`"
    return "-" if value in ("", {}, frozenset(), None) else f"`{value}`"


def _iso(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for size, before, after in ((86_400, "P", "D"), (3_600, "PT", "H"), (60, "PT", "M")):
        if seconds % size == 0:
            return f"{before}{seconds // size}{after}"
    return f"PT{seconds}S"


def _bounds(field: FieldInfo) -> str:
    rules = _rules(field)
    least = next((rule.ge for rule in rules if isinstance(rule, Ge)), None)
    most = next((rule.le for rule in rules if isinstance(rule, Le)), None)
    if least is not None and most is not None:
        return f" {least} to {most}."
    return f" At least {least}." if least is not None else ""


def _rules(field: FieldInfo) -> list[Any]:
    return [inner for rule in field.metadata for inner in (getattr(rule, "metadata", None) or [rule])]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")
    print(f"{PAGE.name}: {len(re.findall('^[|] `', page(), re.MULTILINE))} settings")


if __name__ == "__main__":
    main()
