"""docs/reliability.md: what is promised, and the numbers of the last runs."""

import pathlib
from typing import Any

from bench import markdown
from bench.reliability import words
from bench.results import Folder
from tests.chaos.run import PAIRS

Data = dict[str, Any]
_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_BROKERS = {"redis": "Redis", "rabbitmq": "RabbitMQ"}


def write(results: Folder, docs: pathlib.Path) -> pathlib.Path:
    """The page under `docs`, from whatever was measured."""
    pairs = [found for name in PAIRS if (found := results.load(name))]
    stock, safety = results.load("stock"), results.load("safety")
    parts = [words.HEAD, words.PROMISES, "## Measured\n"]
    parts += [_pairs(pairs, stock)] if pairs or stock else ["Not measured yet.\n"]
    parts += [words.NUMBERS]
    if safety:
        parts.append(_safety(safety))
    docs.mkdir(parents=True, exist_ok=True)
    page = docs / "reliability.md"
    page.write_text("\n".join(part.rstrip() + "\n" for part in parts))
    return page


def _pairs(pairs: list[Data], stock: Data | None) -> str:
    rows: dict[str, list[str]] = {label: [] for label in _ROWS}
    heads = []
    for found in pairs:
        seen = found["data"]
        database, _, broker = seen["pair"].partition("-")
        heads.append(f"{_DATABASES[database]}, {_BROKERS[broker]}")
        for label, read in _ROWS.items():
            rows[label].append(read(seen))
    for case in stock["data"]["cases"] if stock else []:
        heads.append("stock Celery, Redis" + (", emptied once" if case["broker_emptied"] else ""))
        for label, value in _stock(case).items():
            rows[label].append(value)
    table = markdown.table(["", *heads], [[label, *cells] for label, cells in rows.items()])
    short = [found for found in (*pairs, stock) if found and found["quick"]]
    mark = (
        "**Some columns are from the short form (`--short`), with far fewer faults than `make chaos`.**\n\n"
        if short
        else ""
    )
    notes = [found for found in (*pairs, stock) if found]
    runs = "".join(f"- `{found['command']}`, {found['seconds']} s, {_machine(found)}\n" for found in notes)
    return f"{mark}{table}\n{runs}"


def _killed(seen: Data, *kinds: str) -> str:
    return str(sum(seen["faults"].get(f"kill {kind}", 0) for kind in kinds))


def _faults(seen: Data, beginning: str) -> str:
    return str(sum(count for what, count in seen["faults"].items() if what.startswith(beginning)))


def _recovery(recovery: Data | None) -> str:
    """None: measured before there was such a row."""
    if recovery is None or not recovery["count"]:
        return "-"
    return f"{recovery['p50']:.1f} / {recovery['max']:.1f} s ({recovery['count']})"


_ROWS = {
    "requests sent": lambda seen: str(seen["requests"]),
    "SIGKILL of workers": lambda seen: _killed(seen, "prepare", "infer", "deliver"),
    "SIGKILL of web and beat": lambda seen: _killed(seen, "web", "beat"),
    "broker killed and emptied": lambda seen: _faults(seen, "broker"),
    "database restarted": lambda seen: _faults(seen, "database"),
    "frozen for longer than a lease": lambda seen: _faults(seen, "freeze"),
    "links cut, held, slowed, refused": lambda seen: _faults(seen, "link"),
    "acknowledged": lambda seen: str(seen["acknowledged"]),
    "**lost**": lambda seen: f"**{seen['lost']}**",
    "**answered twice**": lambda seen: f"**{seen['answered_twice']}**",
    "**posted twice**": lambda seen: f"**{seen['posted_twice']}**",
    "out of order in the thread": lambda seen: str(seen["out_of_order"]),
    "in the wrong thread": lambda seen: str(seen["wrong_thread"]),
    "what people wrote, or a secret, in logs": lambda seen: str(seen.get("leaked", "-")),
    "ended by a failure, said so": lambda seen: str(sum(seen["failed"].values())),
    "cancelled by people": lambda seen: str(seen["cancelled"]),
    "**peak in flight** / limit": lambda seen: f"**{seen['peak_in_flight']}** / {seen['limit']}",
    "model calls begun / answers used": lambda seen: f"{seen['calls_begun']} / {seen['answers_used']}",
    "whole answers made and not used": lambda seen: str(seen["calls_completed"] - seen["answers_used"]),
    "a call is back in line, p50 / max": lambda seen: _recovery(seen["recovery"]["in_line"]),
    "- for its last claim": lambda seen: _recovery(seen["recovery"].get("in_line_last")),
    "- without a sweep for over 5 s meanwhile": lambda seen: _recovery(
        seen["recovery"].get("in_line_unswept")
    ),
    "- all others": lambda seen: _recovery(seen["recovery"].get("in_line_others")),
    "times without a sweep for over 5 s, p50 / max": lambda seen: _recovery(seen["recovery"].get("unswept")),
    "a call runs again, p50 / max": lambda seen: _recovery(seen["recovery"]["infer"]),
    "a channel's posts go on, p50 / max": lambda seen: _recovery(seen["recovery"]["deliver"]),
}


def _stock(case: Data) -> dict[str, str]:
    """The same rows for stock Celery, where they mean something."""
    said = {
        "requests sent": str(case["tasks"]),
        "SIGKILL of workers": str(case["kills"]),
        "broker killed and emptied": str(case["broker_emptied"]),
        "acknowledged": str(case["tasks"]),
        "**lost**": f"**{case['lost']}**",
        "**answered twice**": f"**{case['ran_twice']}**",
        "a call runs again, p50 / max": _recovery(case["recovery"]),
    }
    return {label: said.get(label, "") for label in _ROWS}


def _safety(found: Data) -> str:
    data = found["data"]
    kinds = {
        "without": "no fence, no lease",
        "with": "as it is",
        "beside": f"as it is, beside {data['running']} running calls",
    }
    rows = [
        [
            _DATABASES[case["database"]],
            kind,
            f"{case[f'{name}_per_second']:,}",
            markdown.ms(case[f"{name}_claim_p50"]),
            markdown.ms(case[f"{name}_claim_p99"]),
        ]
        for case in data["cases"]
        for name, kind in kinds.items()
    ]
    beats = [
        f"{_DATABASES[case['database']]}: a look takes {markdown.ms(case['look_p50'])}, a renewal "
        f"{markdown.ms(case['renew_p50'])}"
        for case in data["cases"]
    ]
    return "\n".join(
        [
            words.SAFETY,
            markdown.table(["database", "", "claimed and answered a second", "claim p50", "claim p99"], rows),
            f"A running call looks once a second and renews every ten. {'; '.join(beats)}.\n",
            f"<sub>`{found['command']}`, {found['seconds']} s, {_machine(found)}</sub>",
        ]
    )


def _machine(found: Data) -> str:
    machine = found["machine"]
    return f"{machine['date']}, revision {machine['revision']}, {machine['cores']} cores ({machine['cpu']})"
