"""Threadline's own queue, read from its database for the page. Read-only, and patient with what is not there yet.

It reads by column names alone, so that a newer or an older database does not stop the page.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa

MOST_JOBS = 200
# What people wrote (`text`, `result`) stays in the database.
_JOB = ("id", "state", "recipe", "requester", "channel", "error", "created_at", "started_at", "ended_at")
_BACKEND = ("name", "limit", "not_before", "trouble")


def read(database_url: str | None) -> dict[str, Any]:
    """The latest jobs with their steps counted, and the backends with calls in flight and steps waiting.

    Without DATABASE_URL `configured` is false; while the database cannot be read, `error` and `detail` say so.
    """
    if not database_url:
        return {"configured": False, "jobs": [], "backends": []}
    try:
        with _engine(database_url).connect() as connection:
            return {"configured": True, **_read(connection)}
    except (sa.exc.SQLAlchemyError, ImportError, OSError, ValueError) as error:
        detail = f"Threadline's database cannot be read yet ({type(error).__name__})."
        return {"configured": True, "jobs": [], "backends": [], "error": "unreadable", "detail": detail}


@lru_cache(maxsize=4)
def _engine(database_url: str) -> sa.Engine:
    url = sa.make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_size=1, max_overflow=1, pool_pre_ping=True)
    # Opening SQLite read-only means that a look can neither create the file nor hold a writer up.
    readonly = url.set(database=f"file:{url.database or ''}")
    return sa.create_engine(readonly.update_query_dict({"mode": "ro", "uri": "true"}), poolclass=sa.NullPool)


def _read(connection: sa.Connection) -> dict[str, Any]:
    inspector = sa.inspect(connection)
    tables = {
        name: sa.table(name, *(sa.column(column["name"]) for column in inspector.get_columns(name)))
        for name in {"jobs", "steps", "backends"} & set(inspector.get_table_names())
    }
    if len(tables) < 3:
        return {"jobs": [], "backends": []}
    jobs, steps, backends = tables["jobs"], tables["steps"], tables["backends"]
    latest = connection.execute(
        sa.select(*_present(jobs, _JOB)).order_by(jobs.c.created_at.desc()).limit(MOST_JOBS)
    )
    found = [_plain(row) for row in latest.mappings()]
    _count_steps(connection, steps, found)
    rows = connection.execute(sa.select(*_present(backends, _BACKEND)))
    servers = [_plain(row) for row in rows.mappings()]
    # `IN` on the two live states is what the partial index `steps_in_line` answers.
    live = steps.c.state.in_(("waiting", "running"))
    counts = connection.execute(
        sa.select(steps.c.backend, steps.c.state, sa.func.count())
        .where(live)
        .group_by(steps.c.backend, steps.c.state)
    )
    by_backend = {(str(name), str(state)): count for name, state, count in counts}
    for server in servers:
        server["in_flight"] = by_backend.get((server["name"], "running"), 0)
        server["waiting"] = by_backend.get((server["name"], "waiting"), 0)
        server["paused_until"] = server.pop("not_before", None)
    return {"jobs": found, "backends": servers}


def _count_steps(connection: sa.Connection, steps: sa.TableClause, jobs: list[dict[str, Any]]) -> None:
    ids = [job["id"] for job in jobs]
    counts = connection.execute(
        sa.select(steps.c.job_id, steps.c.state, sa.func.count())
        .where(steps.c.job_id.in_(ids))
        .group_by(steps.c.job_id, steps.c.state)
    )
    by_job: dict[str, dict[str, int]] = {}
    for job_id, state, count in counts:
        by_job.setdefault(str(job_id), {})[str(state)] = count
    for job in jobs:
        states = by_job.get(str(job["id"]), {})
        job["user"] = job.get("requester")
        job["cause"] = job.get("error")
        job["steps_total"] = sum(states.values())
        job["steps_done"] = states.get("done", 0)


def _present(table: sa.TableClause, names: tuple[str, ...]) -> list[Any]:
    return [table.c[name] for name in names if name in table.c]


def _plain(row: sa.RowMapping) -> dict[str, Any]:
    return {
        name: value if isinstance(value, int | float | str | None) else str(value)
        for name, value in row.items()
    }
