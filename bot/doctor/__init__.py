"""`python -m bot doctor`: looks at everything that Threadline leans on, and says what to do."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from bot.doctor import alerts, machine, servers, slack, storage
from bot.doctor.finding import Finding, Findings, problem
from tasks.resources import Resources

# A group of checks that takes longer is told as what it is: something that does not answer. Every call within it
# has a limit of its own, and these add up to less.
LIMIT = timedelta(seconds=30)

Group = Callable[[], Findings]


def examine(resources: Resources, channels: Sequence[str], limit: timedelta = LIMIT) -> list[Finding]:
    """All findings, in the order of the report; asks a Slack, a database and servers that may be down.

    `channels` are those that the bot should be in, by id.
    """
    groups: dict[str, Group] = {
        "slack": lambda: slack.examine(resources, [*channels, *_of_alerts(resources, channels)]),
        "slack.socket": lambda: slack.socket(resources),
        "database": lambda: storage.database(resources),
        "owners": lambda: storage.held(resources),
        "broker": lambda: storage.broker(resources),
        **{f"model.{server.name}": servers.group(resources, server) for server in resources.line.servers},
        "alerts": lambda: alerts.examine(resources),
        "machine": lambda: machine.examine(resources),
    }
    return run(groups, limit)


def _of_alerts(resources: Resources, named: Sequence[str]) -> list[str]:
    channel = resources.settings.slack_alert_channel
    return [channel] if channel and channel not in named else []


def run(groups: dict[str, Group], limit: timedelta) -> list[Finding]:
    """Every group in a thread of its own, so that one thing that hangs holds up no other."""
    found: dict[str, list[Finding]] = {name: [] for name in groups}
    threads = {
        name: threading.Thread(target=_collect, args=(name, group, found[name]), daemon=True)
        for name, group in groups.items()
    }
    for thread in threads.values():
        thread.start()
    until = time.monotonic() + limit.total_seconds()
    for name, thread in threads.items():
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            found[name].append(problem(name, "doctor.no_answer", seconds=f"{limit.total_seconds():g}"))
    return _flat(found.values())


def _collect(name: str, group: Group, found: list[Finding]) -> None:
    try:
        found.extend(group())
    except Exception as error:  # noqa: BLE001  # A door: a check that breaks is a finding too, and the rest goes on.
        found.append(problem(name, "doctor.broke", error=type(error).__name__))


def _flat(found: Iterable[list[Finding]]) -> list[Finding]:
    return [finding for group in found for finding in group]
