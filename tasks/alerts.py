"""What operators are told: incidents and the state of model servers, as one alert for each cause."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from db import alerts, backends, incidents, session
from db.alerts import Seen
from db.models import Alert, Incident
from db.states import Way
from tasks.resources import Resources

log = structlog.get_logger()

# What a delivery worker is rung for when operators are to be told something.
LANE = "alerts"

# States, looked at: over when they have not been found so for this long. A server that comes and goes is one alert.
STATES: Mapping[str, timedelta] = {
    "backend_out": timedelta(seconds=30),
    "backend_full": timedelta(minutes=1),
    # Seen by workers of `deliver` (tasks.silence), every 20 s.
    "no_sweep": timedelta(seconds=30),
}

# A state that goes on as it was is written down again after so long.
SEEN_EVERY = timedelta(seconds=10)

# Incidents: over when there was none for this long. It is longer than the waits between tries that repeat one.
QUIET = timedelta(minutes=10)

# How jobs end that need operators; all other ends are the person's own to mend.
OF_JOBS = frozenset(
    {"bug", "worker_killed", "deadline", "model_refused", "model_broken", "context", "context_small"}
)
OF_DELIVERY = frozenset({"slack_refused", "post_dropped"})
OF_THE_DOOR = frozenset({"events_held_back"})
CAUSES = OF_JOBS | OF_DELIVERY | OF_THE_DOOR | STATES.keys()

# DESIGN section 6: a server that is full is told of after so long without any answer.
FULL_FOR = timedelta(minutes=1)


def ways(resources: Resources) -> list[Way]:
    """How this installation tells its operators, beside its logs."""
    settings = resources.settings
    by_mail = settings.alert_smtp_url.get_secret_value()
    return [Way.SLACK] * bool(settings.slack_alert_channel) + [Way.MAIL] * bool(by_mail)


def look(resources: Resources, *, asked: bool = True) -> None:
    """Open, add to and end alerts. Two at once are harmless: each change is conditional.

    `asked`: the sweep that looks was asked for, so it may end the alert that says that none is.
    """
    now = resources.clock()
    with session.reading(resources.engine) as reading:
        going_on = [one for one in alerts.open_ones(reading) if asked or one.cause != "no_sweep"]
        states = [seen for seen in _states(reading, resources.line.names, now) if _is_news(seen, going_on)]
        reported = incidents.are_there(reading)
    by = ways(resources)
    opened: list[Alert | None] = []
    if states or reported:
        with session.transaction(resources.engine) as transaction:
            seen = [*states, *_grouped(incidents.take(transaction) if reported else [])]
            # In one order, so that two sweeps do not wait for each other.
            seen.sort(key=lambda one: (one.cause, one.subject))
            opened += [alerts.note(transaction, each, by) for each in seen]
    ended = _end_quiet(resources, going_on, by, now)
    for name, some in (("alert.opened", opened), ("alert.ended", ended)):
        for alert in some:
            if alert is not None:
                log.error(
                    name,
                    cause=alert.cause,
                    subject=alert.subject,
                    count=alert.count,
                    reference=alert.reference,
                )


def _states(reading: Session, names: Collection[str], now: datetime) -> list[Seen]:
    seen = []
    for backend in backends.every(reading, names):
        if backends.is_out(backend):
            cause = "backend_out"
        elif backends.answers_nobody(reading, backend, now - FULL_FOR):
            cause = "backend_full"
        else:
            continue
        seen.append(
            Seen(
                cause,
                backend.name,
                backend.failures,
                adds=False,
                since=now,
                at=now,
                trouble=backend.trouble,
            )
        )
    return seen


def _is_news(seen: Seen, going_on: Collection[Alert]) -> bool:
    """Whether a state is worth a write: it is looked at once a second."""
    return not any(
        (alert.cause, alert.subject, alert.count, alert.trouble)
        == (seen.cause, seen.subject, seen.count, seen.trouble)
        and seen.at - alert.last_at < SEEN_EVERY
        for alert in going_on
    )


def _grouped(taken: Collection[Incident]) -> list[Seen]:
    groups: dict[tuple[str, str], list[Incident]] = {}
    for incident in taken:
        if incident.cause in CAUSES:
            groups.setdefault((incident.cause, incident.subject), []).append(incident)
    return [
        Seen(
            cause,
            subject,
            len(group),
            adds=True,
            since=min(one.at for one in group),
            at=max(one.at for one in group),
            reference=group[-1].reference,
        )
        for (cause, subject), group in groups.items()
    ]


def _end_quiet(
    resources: Resources, going_on: Collection[Alert], by: Collection[Way], now: datetime
) -> list[Alert | None]:
    ended = []
    for alert in going_on:
        quiet_since = now - STATES.get(alert.cause, QUIET)
        if alert.last_at <= quiet_since:
            with session.transaction(resources.engine) as transaction:
                ended.append(alerts.end(transaction, alert.id, quiet_since, now, by))
    return ended
