"""The report: a line for each check, or JSON for scripts."""

import argparse
import json
from collections.abc import Iterable

from bot import doctor
from bot.doctor.finding import Finding
from tasks.catalogue import say
from tasks.resources import Resources


def main(resources: Resources, chosen: argparse.Namespace) -> int:
    """Print the report; 1 when there is something to mend, else 0."""
    findings = doctor.examine(resources, chosen.channel)
    language = resources.settings.language
    print(as_json(language, findings) if chosen.json else report(language, findings))  # noqa: T201 (a command prints its answer)
    return int(any(finding.state == "problem" for finding in findings))


def report(language: str, findings: Iterable[Finding]) -> str:
    """Lines for people, and a last one that counts."""
    found = list(findings)
    marks = {state: say(language, f"doctor.mark_{state}") for state in ("ok", "note", "problem")}
    width = max(map(len, marks.values()))
    lines = [f"{marks[each.state]:{width}}  {each.check}: {each.words(language)}" for each in found]
    problems = sum(each.state == "problem" for each in found)
    last = say(language, "doctor.problems", count=problems) if problems else say(language, "doctor.well")
    return "\n".join([*lines, "", last])


def as_json(language: str, findings: Iterable[Finding]) -> str:
    """`[{"check", "state", "says"}, ...]`; `state` is ok, note or problem."""
    told = [{"check": each.check, "state": each.state, "says": each.words(language)} for each in findings]
    return json.dumps(told, ensure_ascii=False, indent=2)
