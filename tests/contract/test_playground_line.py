"""The page's view of Threadline's queue, read from a database of each kind."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from db import models, states
from playground import line

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_without_a_database_it_says_so() -> None:
    assert line.read(None) == {"configured": False, "jobs": [], "backends": []}
    missing = line.read("sqlite:////nowhere/at/all.db")
    assert (missing["error"], missing["jobs"]) == ("unreadable", [])


def test_an_empty_database_is_no_error(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE something (id INTEGER)"))
    engine.dispose()
    assert line.read(database_url) == {"configured": True, "jobs": [], "backends": []}
    line._engine(database_url).dispose()


def test_jobs_and_backends_are_counted_and_no_text_is_shown(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    models.Base.metadata.create_all(engine)
    job = {"source_key": "s", "origin": states.Origin.MENTION, "team": "T0PLAY", "requester": "U0ADA"}
    job |= {"recipe": "summarize", "text": "private words", "deadline": NOW + timedelta(hours=1)}
    step = {"job_id": "j1", "backend": "main", "attempt": 1, "level": 0, "kind": "map", "messages": []}
    step |= {"tokens_in": 1, "max_tokens": 1, "temperature": 0.0, "created_at": NOW, "not_before": NOW}
    kinds = ("waiting", "running", "done")
    with Session(engine) as session, session.begin():
        session.add_all([models.Backend(name="main", limit=4), models.Job(id="j1", created_at=NOW, **job)])
        session.flush()
        session.add_all(
            models.Step(**step, ordinal=number, state=states.StepState(state))
            for number, state in enumerate(kinds)
        )
    seen = line.read(database_url)
    (shown,) = seen["jobs"]
    assert (shown["id"], shown["state"], shown["user"], shown["recipe"]) == (
        "j1",
        "received",
        "U0ADA",
        "summarize",
    )
    assert (shown["steps_done"], shown["steps_total"]) == (1, 3)
    assert "private words" not in str(seen)
    (backend,) = seen["backends"]
    assert (backend["name"], backend["limit"], backend["in_flight"], backend["waiting"]) == ("main", 4, 1, 1)
    line._engine(database_url).dispose()
    engine.dispose()
