"""Threadline's own queue, read from its database for the page. Read-only, and patient with what is not there yet.

It reads by column names alone, so that a newer or an older database does not stop the page.
"""

import operator
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from db.states import JobState
from playground import turns

MOST_JOBS = 200
# What people wrote (`text`, `result`) stays in the database.
_JOB = ("id", "state", "recipe", "requester", "channel", "error", "created_at", "started_at", "ended_at")
_JOB += ("ahead", "left_from", "left_to")
_BACKEND = ("name", "limit", "not_before", "trouble", "failures", "learned", "input_weight", "output_weight")
_NOTHING: dict[str, Any] = {"jobs": [], "backends": [], "people": []}


def read(database_url: str | None) -> dict[str, Any]:
    """The latest jobs with their steps counted, the backends with their lines, and the people who share them.

    Without DATABASE_URL `configured` is false; while the database cannot be read, `error` and `detail` say so.
    """
    if not database_url:
        return {"configured": False, **_NOTHING}
    try:
        with _engine(database_url).connect() as connection:
            return {"configured": True, **_read(connection)}
    except (sa.exc.SQLAlchemyError, ImportError, OSError, ValueError) as error:
        detail = f"Threadline's database cannot be read yet ({type(error).__name__})."
        return {"configured": True, **_NOTHING, "error": "unreadable", "detail": detail}


@lru_cache(maxsize=4)
def _engine(database_url: str) -> sa.Engine:
    """An engine that keeps no connection from one look to the next: nobody is told when the last look was."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        # Opening SQLite read-only means that a look can neither create the file nor hold a writer up.
        url = url.set(database=f"file:{url.database or ''}").update_query_dict({"mode": "ro", "uri": "true"})
    return sa.create_engine(url, poolclass=sa.NullPool)


def _read(connection: sa.Connection) -> dict[str, Any]:
    inspector = sa.inspect(connection)
    tables = {
        name: sa.table(name, *(sa.column(column["name"]) for column in inspector.get_columns(name)))
        for name in {"jobs", "steps", "backends", "turns"} & set(inspector.get_table_names())
    }
    if not {"jobs", "steps", "backends"} <= tables.keys():
        return _NOTHING
    found = _jobs(connection, tables["jobs"])
    _count_steps(connection, tables["steps"], found)
    servers = [
        _plain(row)
        for row in connection.execute(sa.select(*_present(tables["backends"], _BACKEND))).mappings()
    ]
    people: list[dict[str, Any]] = []
    for server in servers:
        seen = _in_turns(connection, tables, server)
        people += seen.pop("people", [])
        learned, paused_until = server.pop("learned", None), server.pop("not_before", None)
        server.update(seen, learned=learned is not None, paused_until=paused_until)
        for weight in ("input_weight", "output_weight"):
            server.pop(weight, None)
    return {"jobs": found, "backends": servers, "people": people}


def _in_turns(connection: sa.Connection, tables: turns.Tables, server: Mapping[str, Any]) -> dict[str, Any]:
    """A backend's line; of a database from before turns only how long it is."""
    steps = tables["steps"]
    if "turns" in tables and "turn_id" in steps.c:
        return turns.look(connection, tables, server)
    counts = {
        state: connection.execute(
            sa.select(sa.func.count())
            .select_from(steps)
            .where(turns.in_state(steps, state), steps.c.backend == server["name"])
        ).scalar_one()
        for state in ("running", "waiting")
    }
    return {"in_flight": counts["running"], "waiting": counts["waiting"], "running": [], "next": []}


def _jobs(connection: sa.Connection, jobs: sa.TableClause) -> list[dict[str, Any]]:
    """The latest jobs, newest first. Asked for state by state: that is what the index `jobs_by_state` answers."""
    rows = [
        row
        for state in JobState
        for row in connection.execute(
            sa.select(*_present(jobs, _JOB))
            .where(turns.in_state(jobs, state))
            .order_by(jobs.c.created_at.desc())
            .limit(MOST_JOBS)
        ).mappings()
    ]
    rows.sort(key=operator.itemgetter("created_at"), reverse=True)
    return [_plain(row) for row in rows[:MOST_JOBS]]


def _count_steps(connection: sa.Connection, steps: sa.TableClause, jobs: list[dict[str, Any]]) -> None:
    ids = [job["id"] for job in jobs]
    counts = connection.execute(
        sa.select(steps.c.job_id, steps.c.state, sa.func.count(), sa.func.max(steps.c.backend))
        .where(steps.c.job_id.in_(ids))
        .group_by(steps.c.job_id, steps.c.state)
    )
    by_job: dict[str, dict[str, int]] = {}
    backends: dict[str, str] = {}
    for job_id, state, count, backend in counts:
        by_job.setdefault(str(job_id), {})[str(state)] = count
        backends[str(job_id)] = backend
    for job in jobs:
        states = by_job.get(str(job["id"]), {})
        job["user"] = job.get("requester")
        job["cause"] = job.get("error")
        job["backend"] = backends.get(str(job["id"]))
        job["steps_total"] = sum(states.values())
        job["steps_done"] = states.get("done", 0)


def _present(table: sa.TableClause, names: tuple[str, ...]) -> list[Any]:
    return [table.c[name] for name in names if name in table.c]


def _plain(row: sa.RowMapping) -> dict[str, Any]:
    return {
        name: value if isinstance(value, int | float | str | None) else str(value)
        for name, value in row.items()
    }
