"""`/healthz`, `/readyz` and `/metrics`: what platforms and Prometheus read."""

import shutil
from collections import Counter
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.web import LEAST_ROOM
from db import __main__ as database
from db.models import Backend, Step
from db.session import transaction
from db.states import JobState, StepState
from tests import front_door_rig as rig
from tests.contract.test_front_door_trouble import silent_server, without_tables
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def metrics(door: Door) -> Samples:
    """Every sample by name and labels."""
    answer = door.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_alive_needs_neither_database_nor_broker() -> None:
    """A platform must not kill the process because the database is away."""
    with rig.opened(f"postgresql://threadline@{rig.NOWHERE}/x") as door:
        answer = door.client.get("/healthz")

        assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize("broker", ["valkey_url", "rabbitmq_url"])
def test_ready_when_both_answer_and_somebody_sweeps(
    sqlite_url: str, broker: str, request: pytest.FixtureRequest
) -> None:
    """The database with our tables, the broker, and a sweep not long ago."""
    with rig.opened(sqlite_url, broker_url=request.getfixturevalue(broker)) as door:
        swept(door, rig.NOW)
        answer = door.client.get("/readyz")

        all_well = {"database": "ok", "broker": "ok", "sweep": "ok"}
        assert (answer.status_code, answer.json()) == (200, all_well)


@pytest.mark.parametrize(
    ("at", "says"),
    [(None, "never"), (rig.NOW - timedelta(seconds=61), "61 s ago")],
    ids=["never", "long ago"],
)
def test_not_ready_without_sweeps(either_door: Door, valkey_url: str, at: datetime | None, says: str) -> None:
    """With beat or deliver away, what gets lost stays lost: seen in /readyz and in the metrics."""
    url = either_door.resources.engine.url.render_as_string(hide_password=False)
    with rig.opened(url, broker_url=valkey_url) as door:
        swept(door, at)
        answer = door.client.get("/readyz")

        assert (answer.status_code, answer.json()["sweep"]) == (503, says)
        read = metrics(door)
    assert read.get(("threadline_seconds_since_sweep", ())) == (61 if at else None)
    swept(either_door, rig.NOW - timedelta(seconds=59))
    assert metrics(either_door)["threadline_seconds_since_sweep", ()] == 59


def swept(door: Door, at: datetime | None) -> None:
    """A sweep of two backends at that moment; one of them was new then."""
    with transaction(door.resources.engine) as rows:
        for name in ("main", "other"):
            rows.merge(Backend(name=name, limit=4, swept_at=at if name == "main" else None))


def test_not_ready_without_the_broker(door: Door) -> None:
    """503 that says which; requests are taken all the same."""
    answer = door.client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["database"] == "ok"
    assert answer.json()["broker"] != "ok"
    assert rig.NOWHERE not in answer.text


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_not_ready_with_a_broker_that_hangs(sqlite_url: str, scheme: str) -> None:
    """It is given two seconds."""
    with (
        silent_server() as listener,
        rig.opened(sqlite_url, broker_url=f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/0") as door,
    ):
        assert door.client.get("/readyz").status_code == 503


def test_not_ready_without_the_database(database_url: str, valkey_url: str) -> None:
    """Also when it answers, and was never migrated."""
    with rig.opened(database_url, broker_url=valkey_url) as door:
        answer = door.client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["broker"] == "ok"
        assert answer.json()["database"] in {"OperationalError", "ProgrammingError"}
        database.upgrade(database_url)
        swept(door, rig.NOW)
        assert door.client.get("/readyz").status_code == 200


def test_not_ready_without_room_for_a_request(
    either_door: Door, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's disk is this machine's; the one of a server is its own business."""
    swept(either_door, rig.NOW)
    url = either_door.resources.engine.url
    free = LEAST_ROOM
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    with rig.opened(url.render_as_string(hide_password=False), broker_url=valkey_url) as door:
        assert door.client.get("/readyz").status_code == 200
        free -= 1
        answer = door.client.get("/readyz")

    if url.get_backend_name() == "sqlite":
        assert (answer.status_code, answer.json()["database"]) == (503, "51 MB free on its disk")
    else:
        assert answer.status_code == 200


def test_not_ready_with_a_database_that_is_gone() -> None:
    """The password in its address stays out of the answer."""
    with rig.opened(f"postgresql://threadline:swordfish@{rig.NOWHERE}/x") as door:
        answer = door.client.get("/readyz")

    assert answer.status_code == 503
    assert "swordfish" not in answer.text


def test_the_numbers_agree_with_the_rows(either_door: Door) -> None:
    """Jobs by state, cause and door; posts; steps, limits, tokens and waits of each backend."""
    for _ in range(3):
        either_door.event(rig.mention())
    either_door.command(rig.command())
    either_door.client.post("/api/analyses", json={"text": "A text."})
    first, second, *_ = (job for job in either_door.jobs() if job.origin == "mention")
    either_door.change(first, state="failed", error="deadline", ended_at=rig.NOW, attempt=2)
    ended = {
        "result": "An answer.",
        "created_at": rig.NOW.replace(second=0),
        "ended_at": rig.NOW.replace(second=5),
    }
    either_door.change(second, state=JobState.DONE, **ended)
    with transaction(either_door.resources.engine) as rows:
        rows.add(Backend(name="main", limit=4))
        rows.flush()
        rows.add_all(
            Step(
                job_id=second.id, backend="main", attempt=1, level=0, ordinal=ordinal, kind="map", messages=[],
                tokens_in=100, tokens_out=7, max_tokens=10, temperature=0.0, not_before=rig.NOW, state=state,
                created_at=rig.NOW.replace(hour=8),
            )
            for ordinal, state in enumerate([StepState.WAITING, StepState.RUNNING, StepState.DONE, StepState.DONE])
        )  # fmt: skip

    read = metrics(either_door)

    jobs = {labels: value for (name, labels), value in read.items() if name == "threadline_jobs"}
    assert jobs == Counter(
        (("error", job.error or ""), ("origin", job.origin.value), ("state", job.state.value))
        for job in either_door.jobs()
    )
    posts = {labels: value for (name, labels), value in read.items() if name == "threadline_posts"}
    assert posts == {(("kind", "card"), ("state", "wanted")): len(either_door.posts())}
    main = (("backend", "main"),)
    assert read["threadline_steps", (*main, ("state", "waiting"))] == 1
    assert read["threadline_steps", (*main, ("state", "running"))] == 1
    assert read["threadline_limit", main] == 4
    assert read["threadline_oldest_waiting_seconds", main] == 3600
    assert read["threadline_tokens", (("direction", "in"),)] == 200
    assert read["threadline_tokens", (("direction", "out"),)] == 14
    assert read["threadline_answer_seconds_sum", ()] == 5
    assert read["threadline_attempts", ()] == 6
    assert read["threadline_database_up", ()] == 1


def test_an_empty_database_has_metrics(either_door: Door) -> None:
    """Nothing to count is 0, not an error."""
    read = metrics(either_door)

    assert read["threadline_database_up", ()] == 1
    assert read["threadline_tokens", (("direction", "in"),)] == 0


def test_acknowledgements_are_counted_and_timed(door: Door) -> None:
    """Verified requests from Slack by answer; the unsigned ones are nobody's."""
    door.event(rig.mention())
    door.event([])
    door.client.post("/slack/events", content=b"{}")

    read = metrics(door)
    assert read["threadline_slack_requests_total", (("status", "200"), ("transport", "http"))] == 1
    assert read["threadline_slack_requests_total", (("status", "400"), ("transport", "http"))] == 1
    assert read["threadline_slack_ack_seconds_count", (("transport", "http"),)] == 2
    assert not any("401" in str(labels) for _, labels in read)


def test_metrics_outlive_the_database(either_door: Door) -> None:
    """What this process counted is still shown, and that the database is away."""
    either_door.event(rig.mention())
    with without_tables(either_door):
        read = metrics(either_door)

    assert read["threadline_database_up", ()] == 0
    assert read["threadline_slack_requests_total", (("status", "200"), ("transport", "http"))] == 1


def test_metrics_hold_nothing_that_people_wrote(door: Door) -> None:
    """Neither texts nor ids of people and channels (I10)."""
    door.event(rig.mention("<@U0BOT> swordfish", user="U0SOMEBODY", channel="C0SOMEWHERE"))

    text = door.client.get("/metrics").text
    assert not any(word in text for word in ("swordfish", "U0SOMEBODY", "C0SOMEWHERE"))
