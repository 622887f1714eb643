"""The page's view of Threadline's queue, read from a database of each kind."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from db import leases, models, states
from db import line as db_line
from playground import line
from tests import fakes, services

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_without_a_database_it_says_so() -> None:
    assert line.read(None) == {"configured": False, "jobs": [], "backends": [], "people": []}
    missing = line.read("sqlite:////nowhere/at/all.db")
    assert (missing["error"], missing["jobs"]) == ("unreadable", [])


def test_an_empty_database_is_no_error(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE something (id INTEGER)"))
    engine.dispose()
    assert line.read(database_url) == {"configured": True, "jobs": [], "backends": [], "people": []}


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
    engine.dispose()


@pytest.fixture
def look(engine: sa.Engine) -> Any:
    """What the page is told."""
    url = engine.url.render_as_string(hide_password=False)
    return lambda: line.read(url)


def test_a_look_leaves_no_connection_open(postgres_engine: sa.Engine) -> None:
    """Nobody would close it: the page comes and goes, and its server may end at any time."""
    line.read(postgres_engine.url.render_as_string(hide_password=False))
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def left() -> int:
        with postgres_engine.connect() as connection:
            return connection.scalar(others)

    services.wait_for(lambda: left() == 0, what="the look's connection is closed")


def test_who_shares_the_line_and_in_which_order(engine: sa.Engine, look: Any) -> None:
    """Slots, the fair order of those who wait, and each person's tokens."""
    fakes.declare(engine, limit=2)
    for _ in range(3):
        fakes.in_line(engine, steps=2, requester="UFLOOD")
    light = fakes.in_line(engine, requester="ULIGHT")
    taken = [_claim(engine, 0), _claim(engine, 1)]
    fakes.do(engine, leases.finish, taken[0], "Yes.", 12, 30, False, _at(5))
    fakes.do(engine, leases.renew, taken[1], "Well", 7, _at(5), fakes.LEASE)
    fakes.set_row(engine, models.Job, light.id, ahead=2, left_from=15, left_to=60)

    seen = look()
    (backend,) = seen["backends"]
    assert (backend["in_flight"], backend["waiting"], backend["limit"]) == (1, 5, 2)
    assert (backend["learned"], backend["failures"], backend["trouble"]) == (False, 0, None)
    # The flood was served first, 12 tokens in and 30 out; then it was the other's turn.
    assert backend["running"] == ["ULIGHT"]
    assert backend["next"] == ["UFLOOD"] * 5
    people = {one["user"]: one for one in seen["people"]}
    assert people["UFLOOD"] == {
        "backend": "main",
        "user": "UFLOOD",
        "priority": 1,
        "weight": 1.0,
        "tokens": 42,
        "waiting": 5,
        "running": 0,
        "done": 1,
        "service": 12 + 2 * 30,
        "began_at": 0,
    }
    flows = ("tokens", "waiting", "running", "done")
    assert [people["ULIGHT"][name] for name in flows] == [10 + 7, 0, 1, 0]
    (waiting,) = [job for job in seen["jobs"] if job["id"] == light.id]
    assert (waiting["ahead"], waiting["left_from"], waiting["left_to"]) == (2, 15, 60)
    assert waiting["backend"] == "main"


def test_people_come_next_in_turns(engine: sa.Engine, look: Any) -> None:
    """The order is the one in which claims take them, whoever asked for more."""
    fakes.declare(engine, limit=1)
    for user, steps in (("UFLOOD", 6), ("UONE", 1), ("UTWO", 2)):
        fakes.in_line(engine, steps=steps, requester=user)
    foreseen = look()["backends"][0]["next"]
    assert foreseen[:5] == ["UFLOOD", "UONE", "UTWO", "UFLOOD", "UTWO"]
    served = []
    while (taken := _claim(engine, len(served))) is not None:
        served.append(fakes.the(engine, models.Job, taken.job_id).requester)
        fakes.do(engine, leases.finish, taken, "", 10, 0, False, _at(len(served)))
    assert served == foreseen


def test_tokens_count_from_when_the_line_was_last_empty(engine: sa.Engine, look: Any) -> None:
    """What was served in an earlier rush does not tilt the bars of this one."""
    fakes.declare(engine, limit=1)
    for start, user in ((0, "UEARLY"), (100, "UADA"), (103, "UMINJI")):
        fakes.in_line(engine, requester=user, created_at=_at(start))
        fakes.do(engine, leases.finish, _claim(engine, start), "", 10, 5, False, _at(start + 4))
    seen = look()
    assert [(one["user"], one["tokens"], one["done"]) for one in seen["people"]] == [
        ("UADA", 15, 1),
        ("UMINJI", 15, 1),
    ]
    assert datetime.fromisoformat(seen["backends"][0]["since"]) == _at(100)


def test_a_learned_limit_and_trouble_are_told(engine: sa.Engine, look: Any) -> None:
    fakes.declare(engine)
    fakes.set_row(engine, models.Backend, "main", learned={}, trouble="down", failures=3)
    (backend,) = look()["backends"]
    assert (backend["learned"], backend["failures"], backend["trouble"]) == (True, 3, "down")


def test_a_database_from_before_turns_still_counts(database_url: str) -> None:
    """An older release may run behind the page; it shows what there is."""
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        for table in (
            "jobs (id TEXT, state TEXT, created_at TEXT)",
            "steps (id INTEGER, job_id TEXT, backend TEXT, state TEXT)",
            "backends (name TEXT)",
        ):
            connection.execute(sa.text(f"CREATE TABLE {table}"))
        connection.execute(sa.text("INSERT INTO backends VALUES ('main')"))
        connection.execute(sa.text("INSERT INTO steps VALUES (1, 'j', 'main', 'waiting')"))
    engine.dispose()
    seen = line.read(database_url)
    assert (seen["backends"][0]["waiting"], seen["people"]) == (1, [])


def test_every_look_goes_by_an_index(engine: sa.Engine, look: Any) -> None:
    """However many jobs and steps there are, none of the statements reads them all."""
    fakes.declare(engine)
    fakes.in_line(engine, steps=3)
    fakes.do(engine, leases.finish, _claim(engine, 0), "", 10, 5, False, _at(1))
    asked: list[tuple[str, Any]] = []
    reader = line._engine(engine.url.render_as_string(hide_password=False))
    sa.event.listen(reader, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
    look()
    asked = [(sql, values) for sql, values in asked if "FROM jobs" in sql or "FROM steps" in sql]
    assert len(asked) > 8
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if not sqlite:
            # Tables this small are read whole unless that is forbidden; then it shows whether an index would do.
            connection.exec_driver_sql("SET enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        for sql, values in asked:
            plan = "\n".join(str(row) for row in connection.exec_driver_sql(explain + sql, values))
            whole = ("SCAN steps", "SCAN jobs") if sqlite else ("Seq Scan on steps", "Seq Scan on jobs")
            assert not any(words in plan for words in whole), f"{sql}\n{plan}"
            assert "TEMP B-TREE FOR ORDER BY" not in plan, f"{sql}\n{plan}"


def _at(seconds: float) -> datetime:
    return fakes.NOW + timedelta(seconds=seconds)


def _claim(engine: sa.Engine, seconds: float) -> Any:
    return fakes.do(engine, db_line.claim, "main", _at(seconds), fakes.LEASE)
