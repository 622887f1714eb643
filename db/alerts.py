"""Alerts: one for each cause while it goes on, and where each of its messages stands (I4)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.models import Alert, Telling
from db.session import add_if_missing
from db.states import Part, Way


@dataclass(frozen=True)
class Seen:
    """Something for operators that was seen just now."""

    cause: str
    subject: str
    # Incidents since the last look; or, where a state is looked at, how often it was found so in all.
    count: int
    adds: bool
    since: datetime
    at: datetime
    reference: str | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Task:
    """One message about an alert, to be sent or brought up to date now."""

    alert: Alert
    telling: Telling
    fence: int
    # The first message, which the last one hangs from.
    opened_ts: str | None
    # An earlier try ended without a word: Slack may hold the message already.
    unclear: bool


def note(session: Session, seen: Seen, ways: Collection[Way]) -> Alert | None:
    """Add to the open alert of a cause; returns the alert when this opened it, to be told by `ways`."""
    alert = _open(session, seen)
    if alert is None:
        alert = Alert(
            cause=seen.cause,
            subject=seen.subject,
            opened_at=seen.since,
            last_at=seen.at,
            count=seen.count,
            reference=seen.reference,
            trouble=seen.trouble,
        )
        if add_if_missing(session, alert):
            _want(session, alert, ways, Part.OPENED, seen.at)
            return alert
        alert = _open(session, seen)
    if alert is not None:
        count = alert.count + seen.count if seen.adds else seen.count
        if (count, seen.trouble) != (alert.count, alert.trouble):
            alert.revision += 1
        alert.count, alert.trouble = count, seen.trouble
        alert.last_at = max(alert.last_at, seen.at)
        alert.reference = seen.reference or alert.reference
    return None


def open_ones(session: Session) -> list[Alert]:
    """The alerts that go on."""
    return list(session.scalars(select(Alert).where(Alert.ended_at.is_(None)).order_by(Alert.id)))


def end(
    session: Session, alert_id: int, quiet_since: datetime, now: datetime, ways: Collection[Way]
) -> Alert | None:
    """End an alert, unless it was seen after `quiet_since` or another sweep ended it; returns it if this did."""
    alert = session.get(Alert, alert_id, with_for_update=True, populate_existing=True)
    if alert is None or alert.ended_at is not None or alert.last_at > quiet_since:
        return None
    alert.ended_at = now
    alert.revision += 1
    _want(session, alert, ways, Part.OVER, now)
    return alert


def is_due(session: Session, now: datetime) -> bool:
    """Whether anything is to be told."""
    return session.execute(_due(now).limit(1)).first() is not None


def claim(session: Session, now: datetime, lease: timedelta) -> Task | None:
    """Take the first message that is due; None when nothing is."""
    mine = _due(now).order_by(Telling.alert_id, Telling.part, Telling.way).limit(1)
    row = session.execute(mine.with_for_update(of=Telling, skip_locked=True)).first()
    if row is None:
        return None
    telling, alert, opened_ts = row
    unclear = telling.sending_since is not None
    telling.fence += 1
    telling.lease_until = now + lease
    telling.sending_since = telling.sending_since or now
    telling.tries += 1
    return Task(alert, telling, telling.fence, opened_ts, unclear)


def told(session: Session, task: Task, ts: str | None, channel: str | None, again_after: datetime) -> None:
    """Record what was told; more is told `again_after` that."""
    _record(
        session,
        task,
        told=task.alert.revision,
        ts=ts,
        channel=channel,
        not_before=again_after,
        sending_since=None,
        tries=0,
    )


def not_told(session: Session, task: Task, until: datetime, sure: bool) -> None:
    """Try again after `until`. `sure`: nothing was sent, so no look-up is needed first."""
    since = None if sure else task.telling.sending_since
    _record(session, task, not_before=until, sending_since=since)


def delete_older(session: Session, before: datetime) -> None:
    """Forget alerts that ended before `before`."""
    session.execute(delete(Alert).where(Alert.ended_at < before))


def count_open(session: Session) -> Mapping[str, int]:
    """How many alerts of each cause go on."""
    causes = [alert.cause for alert in open_ones(session)]
    return {cause: causes.count(cause) for cause in causes}


def of(session: Session, alert_id: int) -> Sequence[Telling]:
    """The messages about an alert."""
    mine = select(Telling).where(Telling.alert_id == alert_id)
    return session.scalars(mine.order_by(Telling.part, Telling.way)).all()


def _open(session: Session, seen: Seen) -> Alert | None:
    same = (Alert.cause == seen.cause) & (Alert.subject == seen.subject) & Alert.ended_at.is_(None)
    return session.scalar(select(Alert).where(same).with_for_update())


def _want(session: Session, alert: Alert, ways: Collection[Way], part: Part, now: datetime) -> None:
    session.flush()
    session.add_all(Telling(alert_id=alert.id, way=way, part=part, not_before=now) for way in ways)


def _due(now: datetime) -> Select[Telling, Alert, str | None]:
    """What may be told at `now`: the end after the beginning, and by mail nothing between them."""
    opened = aliased(Telling)
    before = (
        (opened.alert_id == Telling.alert_id) & (opened.way == Telling.way) & (opened.part == Part.OPENED)
    )
    free = Telling.lease_until.is_(None) | (Telling.lease_until <= now)
    is_news: ColumnElement[bool] = (Telling.told < Alert.revision) & or_(
        Telling.told == 0, Telling.way == Way.SLACK
    )
    in_order = or_(Telling.part == Part.OPENED, opened.told > 0)
    return (
        select(Telling, Alert, opened.ts)
        .join(Alert, Alert.id == Telling.alert_id)
        .join(opened, before)
        .where(Telling.not_before <= now, free, is_news, in_order)
    )


def _record(session: Session, task: Task, **values: object) -> None:
    """Only the holder of the current claim writes (I6)."""
    mine = (
        (Telling.alert_id == task.telling.alert_id)
        & (Telling.way == task.telling.way)
        & (Telling.part == task.telling.part)
        & (Telling.fence == task.fence)
    )
    session.execute(update(Telling).where(mine).values(lease_until=None, **values))
