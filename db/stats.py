"""Counts over all rows, for metrics."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from db import alerts, backends
from db.models import Job, Post, Step
from db.states import PostState, StepState

Rows = list[tuple[list[str], float]]
Described = tuple[str, list[str], Rows]


def counts(session: Session, servers: Collection[str], now: datetime) -> dict[str, Described]:
    """Each metric's help, label names, and its rows: label values with a number. `servers` are those in the settings."""
    serving = backends.every(session, servers)
    return {
        "jobs": ("Jobs kept, by state and cause of failure.", ["state", "error", "origin"], _jobs(session)),
        "steps": ("Model calls still to be made or being made.", ["backend", "state"], _steps(session)),
        "limit": (
            "The most calls in flight that a backend is given.",
            ["backend"],
            [([each.name], each.limit) for each in serving],
        ),
        "backend_failures": (
            "Failures in a row of a backend.",
            ["backend"],
            [([each.name], each.failures) for each in serving],
        ),
        "tokens": ("Tokens of answered steps.", ["direction"], _tokens(session)),
        "answer_seconds_sum": (
            "Seconds from request to answer, summed over answered jobs.",
            [],
            _answer_seconds(session),
        ),
        "wait_seconds_sum": (
            "Seconds from a model call's place in line to its start, summed over started calls.",
            ["backend"],
            _waits(session),
        ),
        "attempts": (
            "Attempts begun over all jobs; above the jobs themselves, people pressed Retry.",
            [],
            _attempts(session),
        ),
        "alerts": ("Alerts to operators that go on.", ["cause"], _alerts(session)),
        "posts": ("Posts, by kind and state.", ["kind", "state"], _posts(session)),
        "oldest_waiting_seconds": (
            "Age of the step that has waited longest.",
            ["backend"],
            _oldest(session, now),
        ),
        "seconds_since_sweep": (
            "Seconds since the last sweep that was asked for, to within 2 s; missing before the first.",
            [],
            _since_sweep(session, now),
        ),
    }


def _jobs(session: Session) -> Rows:
    rows = session.execute(
        select(Job.state, Job.error, Job.origin, func.count()).group_by(Job.state, Job.error, Job.origin)
    )
    return [([state.value, error or "", origin.value], count) for state, error, origin, count in rows]


def _steps(session: Session) -> Rows:
    live = Step.state.in_((StepState.WAITING, StepState.RUNNING))
    rows = session.execute(
        select(Step.backend, Step.state, func.count()).where(live).group_by(Step.backend, Step.state)
    )
    return [([backend, state.value], count) for backend, state, count in rows]


def _tokens(session: Session) -> Rows:
    done = Step.state == StepState.DONE
    tokens_in, tokens_out = session.execute(
        select(func.sum(Step.tokens_in), func.sum(Step.tokens_out)).where(done)
    ).one()
    return [(["in"], tokens_in or 0), (["out"], tokens_out or 0)]


def _answer_seconds(session: Session) -> Rows:
    took = _seconds(session, Job.created_at, Job.ended_at)
    return [([], float(session.scalar(select(func.sum(took)).where(Job.result.is_not(None))) or 0))]


def _waits(session: Session) -> Rows:
    waited = _seconds(session, Step.created_at, Step.started_at)
    rows = session.execute(
        select(Step.backend, func.sum(waited)).where(Step.started_at.is_not(None)).group_by(Step.backend)
    )
    return [([backend], float(seconds)) for backend, seconds in rows]


def _attempts(session: Session) -> Rows:
    return [([], session.scalar(select(func.sum(Job.attempt))) or 0)]


def _posts(session: Session) -> Rows:
    rows = session.execute(select(Post.kind, Post.state, func.count()).group_by(Post.kind, Post.state))
    return [([kind.value, state.value], count) for kind, state, count in rows if state in PostState]


def _alerts(session: Session) -> Rows:
    return [([cause], count) for cause, count in alerts.count_open(session).items()]


def _oldest(session: Session, now: datetime) -> Rows:
    waiting = select(Step.backend, func.min(Step.created_at)).where(Step.state == StepState.WAITING)
    rows = session.execute(waiting.group_by(Step.backend))
    return [([backend], (now - oldest).total_seconds()) for backend, oldest in rows]


def _since_sweep(session: Session, now: datetime) -> Rows:
    swept = backends.last_swept(session)
    return [] if swept is None else [([], (now - swept).total_seconds())]


def _seconds(session: Session, begin: Any, end: Any) -> ColumnElement[Any]:
    """Seconds between two columns; SQLite's own epoch counts whole seconds only."""
    if session.get_bind().dialect.name == "sqlite":
        # Days as floating-point numbers are exact to some 10 microseconds.
        return func.round((func.julianday(end) - func.julianday(begin)) * 86_400, 3)
    return func.extract("epoch", end) - func.extract("epoch", begin)
