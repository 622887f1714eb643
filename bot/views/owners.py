"""What owners look at: how busy it is, which rules hold, and who changed what."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.owners.orders import named
from db.activity import Activity
from db.backends import Count
from db.models import Backend, Change, Rule
from db.rules import EVERYONE, team_of, workspace
from db.states import ENDED, JobState
from tasks import rules as keys
from tasks.catalogue import say
from tasks.recipes import own

HOURS = 12
"""Of the chart; docs.slack.dev, data_visualization: 20 points at most."""

_MOST_CAUSES = 6
_LONGEST_TITLE = 50


def stats(
    language: str, activity: Activity, counts: Mapping[str, Count], now: datetime, of: str
) -> tuple[str, list[dict[str, Any]]]:
    """The numbers of a day as text, and the same with charts as blocks; the text says all that the charts show.

    By the hour are shown the requests, the tokens or the waits: `of` says which.
    """
    states = activity.states
    lines = [
        say(language, "stats.title"),
        say(
            language,
            "stats.requests",
            requests=activity.requests,
            answered=states.get(JobState.ANSWERED, 0) + states.get(JobState.DONE, 0),
            failed=states.get(JobState.FAILED, 0),
            cancelled=states.get(JobState.CANCELLED, 0),
            open=sum(count for state, count in states.items() if state not in ENDED),
        ),
        _waits(language, activity),
        say(language, "stats.tokens", read=activity.tokens_in, written=activity.tokens_out),
        *(
            say(language, "stats.backend", backend=name, in_flight=count.in_flight, waiting=count.waiting)
            for name, count in counts.items()
        ),
    ]
    if activity.causes:
        causes = ", ".join(f"`{cause}` {count}" for cause, count in activity.causes.items())
        lines.append(say(language, "stats.causes", causes=causes))
    hours = _hours({"tokens": activity.tokens, "waits": activity.waits}.get(of, activity.hours), now)
    told = " · ".join(f"{at} {number}" for at, number in hours)
    lines.append(say(language, f"stats.hours_{of}", hours=told))
    charts = [_bars(say(language, f"stats.chart_{of}"), say(language, f"stats.series_{of}"), hours)]
    if activity.causes:
        few = list(activity.causes.items())[:_MOST_CAUSES]
        charts.append(_pie(say(language, "stats.chart_causes"), few))
    text = "\n".join(lines)
    return text, [{"type": "section", "text": {"type": "mrkdwn", "text": text[:3000]}}, *charts]


def rules(
    language: str,
    every: Sequence[Rule],
    servers: Sequence[Backend],
    counts: Mapping[str, Count],
    here: str | None,
) -> str:
    """All rules and all pauses, a line each, as the answer to the order said it; `here` is the reader's workspace."""
    lines = [_rule(language, rule, here) for rule in every]
    for server in servers:
        if server.paused_at is not None:
            waiting = counts[server.name].waiting
            paused = say(language, "admin.paused", backend=server.name, waiting=waiting)
            lines.append(_quoting(paused, server.paused_words))
    if not lines:
        return say(language, "admin.no_rules")
    return "\n".join([say(language, "admin.rules"), *(f"• {line}" for line in lines)])


def _rule(language: str, rule: Rule, here: str | None) -> str:
    how = "on" if rule.value else "off"
    ours = here is not None and rule.scope == workspace(here)
    whom = say(language, "admin.here") if ours else named(rule.scope)
    in_channel = rule.scope.startswith("channel:")
    if rule.key.startswith(keys.RECIPE):
        recipe = rule.key.removeprefix(keys.RECIPE)
        if rule.scope == EVERYONE:
            return say(language, f"admin.recipe_{how}", recipe=recipe)
        # In a channel, or what owners made for a workspace.
        return say(language, f"admin.recipe_{how}_in", recipe=recipe, channel=whom)
    match rule.key:
        case keys.ADMIN:
            return say(language, "admin.admin_added", whom=whom)
        case keys.BAN:
            return say(language, "admin.banned", whom=whom)
        case keys.ALLOW:
            return say(language, "admin.listed" if rule.scope == EVERYONE else "admin.allowed", whom=whom)
        case keys.GUESTS:
            return say(language, "admin.guests_out")
        case keys.DRAIN:
            return _quoting(say(language, "admin.drained"), rule.value)
        case keys.PRIORITY:
            return say(language, "admin.priority", whom=whom, priority=rule.value)
        case keys.REPLIES:
            key = f"admin.replies_{how}_in" if in_channel else f"admin.replies_{how}"
            return say(language, key, channel=whom)
        case keys.REDACTION | keys.STREAMING:
            return say(language, f"admin.{rule.key}_{how}", whom=whom)
        case _:
            return say(language, f"admin.{rule.key.replace('.', '_')}", whom=whom, most=rule.value)


def _quoting(line: str, says: str | None) -> str:
    return f"{line} “{says}”" if says else line


def own_recipes(language: str, made: Sequence[Rule], here: str | None) -> str:
    """The recipes that owners made, a line each: for whom, and who wrote it last; `here` is the reader's workspace."""
    places = {None: say(language, "own.place_everywhere"), here or "": say(language, "own.place_here")}
    lines = []
    for rule in made:
        if (recipe := own.kept(rule.value)) is None:
            continue
        team = team_of(rule.scope)
        lines.append(
            say(
                language,
                "own.line",
                recipe=recipe.name,
                purpose=recipe.recipe().purpose.of(language),
                place=places.get(team, f"`{team}`"),
                by=named(f"person:{rule.set_by}"),
                at=f"{rule.set_at:%Y-%m-%d %H:%M} UTC",
            )
        )
    return "\n".join([say(language, "own.list"), *lines] if lines else [say(language, "own.none")])


def audit(language: str, changes: Sequence[Change]) -> str:
    """Who changed what, the latest first."""
    if not changes:
        return say(language, "admin.no_changes")
    lines = [
        f"• {change.at:%Y-%m-%d %H:%M} UTC {named(f'person:{change.changed_by}')} {change.words}"
        for change in changes
    ]
    return "\n".join([say(language, "admin.audit"), *lines])


def _waits(language: str, activity: Activity) -> str:
    if activity.mean_wait is None or activity.longest_wait is None:
        return say(language, "stats.no_waits")
    mean, longest = round(activity.mean_wait, 1), round(activity.longest_wait, 1)
    return say(language, "stats.waits", mean=mean, longest=longest)


def _hours(numbers: Mapping[datetime, float], now: datetime) -> list[tuple[str, float]]:
    this = now.replace(minute=0, second=0, microsecond=0)
    found = [this - timedelta(hours=back) for back in reversed(range(HOURS))]
    return [(f"{hour:%H}", _short(numbers.get(hour, 0))) for hour in found]


def _short(number: float) -> float:
    """Counts as whole numbers, seconds to a tenth."""
    rounded = round(number, 1)
    return int(rounded) if rounded == int(rounded) else rounded


def _bars(title: str, series: str, points: Sequence[tuple[str, float]]) -> dict[str, Any]:
    data = [{"label": label, "value": value} for label, value in points]
    axis = {"categories": [label for label, _ in points]}
    chart = {"type": "bar", "series": [{"name": series, "data": data}], "axis_config": axis}
    return {"type": "data_visualization", "title": title[:_LONGEST_TITLE], "chart": chart}


def _pie(title: str, segments: Sequence[tuple[str, int]]) -> dict[str, Any]:
    parts = [{"label": label, "value": value} for label, value in segments]
    return {
        "type": "data_visualization",
        "title": title[:_LONGEST_TITLE],
        "chart": {"type": "pie", "segments": parts},
    }
