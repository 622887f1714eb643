"""Where an analysis stands, and `GET /api/line`: everybody's calls in numbers, and one's own analyses."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from db import backends, session
from db.models import Backend, Step
from db.states import StepState
from tests import front_door_rig as rig
from tests.contract.test_api import ALICE, BOB, TOKENS
from tests.fakes import a_step
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door


def ask(door: Door, **headers: str) -> str:
    return door.client.post("/api/analyses", json={"text": "A text."}, headers=headers).json()["id"]


def changed(door: Door, job_id: str, **values: object) -> None:
    door.change(next(job for job in door.jobs() if job.id == job_id), **values)


def declare(door: Door, *declared: backends.Declared) -> None:
    with session.transaction(door.resources.engine) as transaction:
        backends.declare(transaction, declared)


def call(door: Door, job_id: str, ordinal: int = 0, **values: Any) -> None:
    """A model call of a job, as a row."""
    fields = vars(a_step()) | {"job_id": job_id, "backend": "main", "attempt": 1, "level": 0}
    at = {"created_at": rig.NOW, "not_before": rig.NOW}
    with session.transaction(door.resources.engine) as transaction:
        transaction.add(Step(**fields | at | {"ordinal": ordinal} | values))


def line(door: Door, **headers: str) -> dict[str, Any]:
    answer = door.client.get("/api/line", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("values", "ahead", "left"),
    [
        ({"state": "waiting", "ahead": 3, "left_from": 60, "left_to": 120}, 3, [60, 120]),
        ({"state": "waiting", "ahead": 0, "left_from": 0, "left_to": 15}, 0, [0, 15]),
        ({"state": "waiting", "ahead": 1000, "left_from": 3600, "left_to": None}, 1000, [3600, None]),
        ({"state": "waiting", "ahead": 5}, 5, None),
        ({"state": "waiting"}, None, None),
        ({"state": "running", "ahead": 2, "left_from": 30, "left_to": 60}, 2, [30, 60]),
        ({"state": "running", "left_from": 30, "left_to": 60}, None, [30, 60]),
        ({"state": "received", "ahead": 2, "left_from": 30, "left_to": 60}, None, None),
        ({"state": "done", "ahead": 2, "left_from": 30, "left_to": 60}, None, None),
        ({"state": "failed", "ahead": 2, "left_from": 30, "left_to": 60}, None, None),
    ],
)
def test_the_place_of_an_analysis(door: Door, values: dict[str, Any], ahead: object, left: object) -> None:
    """In its own answer and in the line's; null where there is none."""
    job_id = ask(door)
    changed(door, job_id, **values)

    shown = door.client.get(f"/api/analyses/{job_id}").json()

    assert (shown["ahead"], shown["seconds_left"]) == (ahead, left)
    if values["state"] not in {"done", "failed"}:
        place = {"id": job_id, "state": values["state"], "ahead": ahead, "seconds_left": left}
        assert line(door)["analyses"] == [place]


def test_a_cancelled_analysis_has_left_the_line(door: Door) -> None:
    """Whatever its row said before."""
    job_id = ask(door)
    changed(door, job_id, state="waiting", ahead=3, left_from=60, left_to=120)

    shown = door.client.delete(f"/api/analyses/{job_id}").json()

    assert (shown["state"], shown["ahead"], shown["seconds_left"]) == ("cancelled", None, None)
    assert line(door)["analyses"] == []


def test_the_model_servers(either_door: Door) -> None:
    """Those in the settings, by name, with everybody's calls; one whose lease ran out is at no server any more."""
    fair = either_door.resources.line
    both = tuple(replace(fair.servers[0], name=name) for name in ("main", "big"))
    either_door.resources.__dict__["line"] = replace(fair, servers=both)
    declare(either_door, backends.Declared("main", 4), backends.Declared("big", 1, learned=True))
    declare(either_door, backends.Declared("gone", 2))
    with session.transaction(either_door.resources.engine) as transaction:
        transaction.get_one(Backend, "big").trouble = "down"
    either_door.event(rig.mention())
    mine, theirs = ask(either_door), next(job.id for job in either_door.jobs() if job.team == "T1")
    alive, dead = (rig.NOW + timedelta(seconds=30), rig.NOW)
    call(either_door, mine, 0, state=StepState.RUNNING, lease_until=alive)
    call(either_door, mine, 1, state=StepState.RUNNING, lease_until=dead)
    call(either_door, mine, 2, state=StepState.DONE)
    call(either_door, mine, 3, backend="big")
    call(either_door, theirs, 0)
    call(either_door, theirs, 1)

    assert line(either_door)["backends"] == [
        {
            "name": "big",
            "limit": 1,
            "learned": True,
            "in_flight": 0,
            "waiting": 1,
            "paused": False,
            "trouble": "down",
        },
        {
            "name": "main",
            "limit": 4,
            "learned": False,
            "in_flight": 1,
            "waiting": 2,
            "paused": False,
            "trouble": None,
        },
    ]


def test_nobody_else_s_analyses_are_listed(migrated_url: str) -> None:
    """Nor any words or names: the owner of each sees its own, open ones, the latest first."""
    with rig.opened(migrated_url, **TOKENS) as door:
        declare(door, backends.Declared("main", 4))
        door.event(rig.mention("<@U0BOT> swordfish", user="U0SECRET"))
        first, second, ended = (ask(door, **ALICE) for _ in range(3))
        changed(door, second, created_at=rig.NOW + timedelta(seconds=1))
        changed(door, ended, state="done")
        other = ask(door, **BOB)

        shown = door.client.get("/api/line", headers=ALICE)

        assert [each["id"] for each in shown.json()["analyses"]] == [second, first]
        assert [each["id"] for each in line(door, **BOB)["analyses"]] == [other]
        slack_s = next(job.id for job in door.jobs() if job.team == "T1")
        for secret in ("swordfish", "U0SECRET", "bob", "A text.", slack_s, other):
            assert secret not in shown.text


def test_an_empty_line(door: Door) -> None:
    """Before any worker has declared a backend."""
    assert line(door) == {"backends": [], "analyses": []}


def test_a_database_that_does_not_answer(either_door: Door) -> None:
    """503, as at the other addresses."""
    with session.transaction(either_door.resources.engine) as transaction:
        transaction.connection().exec_driver_sql("ALTER TABLE backends RENAME TO gone")

    assert either_door.client.get("/api/line").status_code == 503


def test_the_openapi_document_describes_the_line(door: Door) -> None:
    """Every number that needs it, and what a service that asks too much gets."""
    document = door.client.get("/openapi.json").json()

    assert document["paths"]["/api/line"]["get"]["security"] == [{"HTTPBearer": []}]
    refused = document["paths"]["/api/analyses"]["post"]["responses"]["429"]
    assert "Retry-After" in refused["headers"]
    shapes = document["components"]["schemas"]
    for shape, name in (
        *(("Analysis", name) for name in ("ahead", "seconds_left")),
        *(
            ("ModelServer", name)
            for name in ("limit", "learned", "in_flight", "waiting", "paused", "trouble")
        ),
        ("Line", "analyses"),
    ):
        assert shapes[shape]["properties"][name]["description"]
