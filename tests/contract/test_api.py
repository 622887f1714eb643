"""The HTTP API: an analysis from the request to its result, for whom it belongs to."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from db import jobs, outcomes, session, uploads
from db.states import JobState, Origin, PostKind
from tasks import originals
from tasks.catalogue import say
from tests import front_door_rig as rig
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door

TOKENS = {"api_tokens": "alice:alice-token-of-16,bob:bob-token-of-16-x"}
ALICE, BOB = ({"authorization": f"Bearer {token}"} for token in ("alice-token-of-16", "bob-token-of-16-x"))


def ask(door: Door, body: object = None, **headers: str) -> dict[str, Any]:
    """An analysis that is taken."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = door.client.post("/api/analyses", json=body or {"text": "A text."}, headers=named)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_a_text_is_taken_at_once(either_door: Door) -> None:
    """202 with the id and where to look; the row is committed and its first stage rung."""
    answer = either_door.client.post("/api/analyses", json={"text": "A text."})

    job = either_door.job()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/analyses/{job.id}"
    assert answer.json() == {
        "id": job.id,
        "state": "received",
        "ahead": None,
        "seconds_left": None,
        "recipe": "summarize",
        "created_at": "2026-11-22T09:00:00Z",
        "ended_at": None,
        "result": None,
        "truncated": False,
        "calls": None,
        "needs_confirmation": False,
        "error": None,
        "message": None,
    }
    assert (job.origin, job.team, job.requester, job.text) == (Origin.API, "api", "local", "A text.")
    assert (job.channel, job.callback_url) == (None, None)
    assert either_door.bell.rings == [("prepare", job.id)]
    assert either_door.posts() == []


def test_everything_that_can_be_asked(door: Door) -> None:
    """A recipe by an alias, a callback, and a Slack channel, where the card is wanted at once."""
    body = {
        "text": "회의록",
        "recipe": "할일",
        "callback_url": "https://service.example.com/done?x=1",
        "slack_channel": "C0123ABCD",
    }
    assert ask(door, body)["recipe"] == "action-items"

    job = door.job()
    assert (job.callback_url, job.channel) == (body["callback_url"], "C0123ABCD")
    assert [post.kind for post in door.posts()] == [PostKind.CARD]
    assert [name for name, _ in door.bell.rings] == ["deliver", "deliver", "prepare"]


def test_files_in_a_form(either_door: Door) -> None:
    """Their bytes are kept as they came, in their order; the form's text stays a text of its own."""
    files = [("file", ("메모.txt", "첫 줄".encode("cp949"))), ("file", ("b.pdf", b"%PDF-1.7\x00"))]
    answer = either_door.client.post(
        "/api/analyses", files=files, data={"text": "Who spoke?", "recipe": "ask"}
    )

    assert answer.status_code == 202, answer.text
    job = either_door.job()
    assert (job.text, job.recipe) == ("Who spoke?", "ask")
    with session.reading(either_door.resources.engine) as reading:
        kept = uploads.names(reading, job.id)
        assert [name for _, name in kept] == ["메모.txt", "b.pdf"]
        assert [uploads.content(reading, key) for key, _ in kept] == [content for _, (_, content) in files]


@pytest.mark.parametrize(("ends", "stay"), [("cancel", 0), ("fail", 1), ("answer", 0)])
def test_files_go_when_their_job_needs_them_no_more(either_door: Door, ends: str, stay: int) -> None:
    """A failed one keeps them, for its Retry."""
    either_door.client.post("/api/analyses", files={"file": ("a.txt", b"A text.")})
    with session.transaction(either_door.resources.engine) as transaction:
        job = transaction.merge(either_door.job())
        match ends:
            case "cancel":
                outcomes.cancel(transaction, job.id, rig.NOW)
            case "fail":
                outcomes.fail(transaction, job, "bug", {}, rig.NOW)
            case _:
                outcomes.answer(transaction, job, "Yes.", truncated=False, now=rig.NOW)
        assert len(uploads.names(transaction, job.id)) == stay


def test_a_file_alone_and_a_form_without_a_file(door: Door) -> None:
    """Either is enough."""
    door.client.post("/api/analyses", files={"file": ("notes.txt", b"From a file.")})
    door.client.post("/api/analyses", files={"text": (None, "From a field.")})

    assert sorted(job.text for job in door.jobs()) == ["", "From a field."]


@pytest.mark.parametrize(
    ("state", "shown"),
    [(state, "done" if state is JobState.ANSWERED else state.value) for state in JobState],
)
def test_the_state(door: Door, state: JobState, shown: str) -> None:
    """A result that Slack has yet to show is there all the same for a service."""
    job_id = ask(door)["id"]
    door.change(door.job(), state=state)

    assert door.client.get(f"/api/analyses/{job_id}").json()["state"] == shown


def test_the_result(door: Door) -> None:
    """Once there is one, with whether it was cut at its longest length."""
    job_id = ask(door)["id"]
    with session.transaction(door.resources.engine) as transaction:
        job = jobs.get(transaction, job_id, "api")
        assert job is not None
        outcomes.answer(
            transaction, job, "The **answer**.", truncated=True, now=rig.NOW + timedelta(seconds=3)
        )

    shown = door.client.get(f"/api/analyses/{job_id}").json()
    assert (shown["state"], shown["result"], shown["truncated"]) == ("done", "The **answer**.", True)
    assert shown["ended_at"] == "2026-11-22T09:00:03Z"


def test_a_result_has_its_hidden_values_again(door: Door) -> None:
    """The row holds placeholders, the owner reads values: also by a second request with the same key."""
    job_id = ask(door, idempotency_key="k")["id"]
    with session.transaction(door.resources.engine) as transaction:
        job = jobs.get(transaction, job_id, "api")
        assert job is not None
        job.originals = originals.seal(door.resources.settings, job_id, {"PHONE-1": "010-1234-5678"})
        outcomes.answer(transaction, job, "Call [PHONE-1].", truncated=False, now=rig.NOW)

    assert door.client.get(f"/api/analyses/{job_id}").json()["result"] == "Call 010-1234-5678."
    assert ask(door, idempotency_key="k")["result"] == "Call 010-1234-5678."
    assert door.job().result == "Call [PHONE-1]."


def test_a_failure_comes_as_a_code_and_in_words(door: Door) -> None:
    """The words are those that a person in Slack would read."""
    job_id = ask(door)["id"]
    with session.transaction(door.resources.engine) as transaction:
        job = jobs.get(transaction, job_id, "api")
        assert job is not None
        outcomes.fail(transaction, job, "deadline", {"minutes": 60}, rig.NOW)

    shown = door.client.get(f"/api/analyses/{job_id}").json()
    assert (shown["state"], shown["error"]) == ("failed", "deadline")
    assert shown["message"] == say("en", "error.deadline", minutes=60)


@pytest.mark.parametrize(
    "state", [JobState.RECEIVED, JobState.PREPARING, JobState.WAITING, JobState.RUNNING, JobState.CANCELLED]
)
def test_cancelling(either_door: Door, state: JobState) -> None:
    """What has not ended is cancelled; cancelling it again changes nothing."""
    job_id = ask(either_door, {"text": "A text.", "callback_url": "https://service.example.com/"})["id"]
    either_door.change(either_door.job(), state=state)
    either_door.bell.rings.clear()

    answer = either_door.client.delete(f"/api/analyses/{job_id}")

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert either_door.job().state is JobState.CANCELLED
    if state is not JobState.CANCELLED:
        assert [post.kind for post in either_door.posts()] == [PostKind.CALLBACK]
        assert [name for name, _ in either_door.bell.rings] == ["deliver"]


@pytest.mark.parametrize("state", ["answered", "done", "failed"])
def test_what_has_ended_cannot_be_cancelled(door: Door, state: str) -> None:
    """409, and it stays what it is."""
    job_id = ask(door)["id"]
    door.change(door.job(), state=state)

    answer = door.client.delete(f"/api/analyses/{job_id}")

    assert answer.status_code == 409
    assert ("failed" if state == "failed" else "done") in answer.json()["detail"]
    assert door.job().state == state


def test_an_idempotency_key_makes_one_analysis(either_door: Door) -> None:
    """For a service that does not know whether its request arrived; without a key each request is its own."""
    first = ask(either_door, idempotency_key="order-7")
    again = ask(either_door, idempotency_key="order-7")
    other = ask(either_door, idempotency_key="order-8")
    unkeyed = [ask(either_door)["id"], ask(either_door)["id"]]

    assert first == again
    assert len({first["id"], other["id"], *unkeyed}) == 4
    assert len(either_door.jobs()) == 4


def test_an_idempotency_key_eight_times_at_once(either_door: Door) -> None:
    """Every one of them gets the same id."""
    together = threading.Barrier(8)
    ids: list[str] = []

    def post() -> None:
        together.wait()
        ids.append(ask(either_door, idempotency_key="k" * 200)["id"])

    threads = [threading.Thread(target=post) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert (len(ids), len(set(ids))) == (8, 1)
    assert len(either_door.jobs()) == 1


def test_owners_do_not_see_each_other(sqlite_url: str) -> None:
    """Nor share their keys; another's analysis is one that does not exist."""
    with rig.opened(sqlite_url, **TOKENS) as door:
        mine = ask(door, idempotency_key="order-7", **ALICE)["id"]
        yours = ask(door, idempotency_key="order-7", **BOB)["id"]

        assert mine != yours
        assert {job.requester for job in door.jobs()} == {"alice", "bob"}
        assert door.client.get(f"/api/analyses/{mine}", headers=ALICE).status_code == 200
        for verb in ("GET", "DELETE"):
            answer = door.client.request(verb, f"/api/analyses/{mine}", headers=BOB)
            assert (answer.status_code, answer.json()) == (
                404,
                {"detail": "There is no such analysis of yours."},
            )
        assert {job.state for job in door.jobs()} == {JobState.RECEIVED}


def test_slack_s_jobs_cannot_be_reached(door: Door) -> None:
    """They belong to a workspace; the API's to none."""
    door.event(rig.mention(user="local"))

    assert door.client.get(f"/api/analyses/{door.job().id}").status_code == 404
    assert door.client.delete(f"/api/analyses/{door.job().id}").status_code == 404
    assert door.job().state is JobState.RECEIVED


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong-token-of-16"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer alice"},
        {"authorization": "Basic YWxpY2U6YWxpY2U="},
        {"authorization": b"Bearer \xff\xfe"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/api/analyses"),
        ("GET", "/api/analyses/x"),
        ("DELETE", "/api/analyses/x"),
        ("GET", "/api/line"),
    ],
)
def test_without_a_right_token_nothing_opens(
    sqlite_url: str, headers: dict[str, str], verb: str, path: str
) -> None:
    """401 that says how, whatever is asked, before the body is read."""
    with rig.opened(sqlite_url, **TOKENS) as door:
        answer = door.client.request(verb, path, headers=headers, content=b"{")

        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert door.jobs() == []
