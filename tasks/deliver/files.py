"""The files that come with an answer; a post of the kind `file` names one by its part."""

import json
from dataclasses import dataclass

from db.models import Job
from tasks.catalogue import say
from tasks.deliver import chart, defuse, sheets, views
from tasks.deliver.structured import Structured

ANSWER, JSON, TABLE, CHART = range(4)


@dataclass(frozen=True)
class File:
    """What to upload; `alt` says it to people who do not see it."""

    name: str
    content: str | bytes
    alt: str | None = None


def wanted(of: Structured | None, *, chart: bool) -> list[int]:
    """The files beside an answer in JSON: that, its table if it has one, and its chart if Slack draws none."""
    if of is None:
        return []
    is_table = len(of.items or []) > 1 or any(source.name for source in of.sources)
    return [JSON, *[TABLE] * is_table, *[CHART] * chart]


def make(language: str, job: Job, answer: str, of: Structured | None, part: int) -> File:
    """One file of an answer."""
    if of is None or part == ANSWER:
        return File(say(language, "result.file_name", reference=job.id), answer)
    if part == JSON:
        return File(
            say(language, "result.json_name", reference=job.id), json.dumps(of.value, ensure_ascii=False)
        )
    if part == CHART:
        counts = views.chart_counts(language, of)
        name = say(language, "result.chart_name", reference=job.id)
        return File(name, chart.picture(counts), views.said(language, counts))
    return _table(language, job, of)


def _table(language: str, job: Job, of: Structured) -> File:
    columns = of.columns()
    answers = [
        [of.said(language, item["answer"][column]) if item["answer"] else "" for column in columns]
        for item in of.items or []
    ]
    titles = [of.title(language, column) for column in columns]
    stem = defuse.clean(of.sources[0].name).rpartition(".")[0][:60] or "rows"
    name = say(
        language,
        "result.table_name",
        stem=stem,
        recipe=job.recipe,
        reference=job.id,
        kind=sheets.kind(of.sources),
    )
    return File(name, sheets.write(of.sources, titles, answers))
