"""What the HTTP API does not take, and what it says then."""

import json

import pytest

from bot import api, intake
from tests import front_door_rig as rig
from tests.contract.test_front_door_trouble import locked
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door

JSON = {"content-type": "application/json"}


def test_an_unknown_recipe_gets_the_list_and_the_closest_name(door: Door) -> None:
    """422, as in Slack."""
    answer = door.client.post("/api/analyses", json={"text": "A text.", "recipe": "sumarize"})

    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert "the closest is `summarize`" in detail
    assert all(name in detail for name in door.resources.recipes.names())
    assert door.jobs() == []


def test_a_text_that_is_too_long_gets_both_numbers(door: Door) -> None:
    """413; one character less is taken, spelled in JSON's longest way."""
    longest = "글" * intake.LONGEST_TEXT
    answer = door.client.post("/api/analyses", json={"text": longest + "."})

    assert answer.status_code == 413
    assert "1000001" in answer.json()["detail"]
    assert "1000000" in answer.json()["detail"]
    assert door.jobs() == []
    spelled = json.dumps({"text": longest}, ensure_ascii=True)
    assert door.client.post("/api/analyses", content=spelled, headers=JSON).status_code == 202


@pytest.mark.parametrize(
    ("kind", "longest"),
    [
        ("application/json", api.LONGEST_BODY),
        ("multipart/form-data; boundary=b", api.LONGEST_FORM),
    ],
)
def test_an_endless_body_is_refused_while_it_comes(door: Door, kind: str, longest: int) -> None:
    """413 without holding it all, also when no length was told."""

    async def endless() -> object:
        taken = 0
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        while True:
            taken += 65_536
            assert taken < 2 * longest, "the door goes on reading"
            yield b"x" * 65_536

    answer = door.client.post("/api/analyses", content=endless(), headers={"content-type": kind})

    assert answer.status_code == 413
    assert str(longest) in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": " \n\t"},
        {"text": None},
        {"text": 7},
        {"text": ["A text."]},
        {"text": "A text.", "extra": 1},
        {"text": "A text.", "owner": "bob"},
        {"text": "A text.", "\ud800": 1},
        {"text": "half \ud800 a character"},
        {"text": "A text.", "recipe": 7},
        {"text": "A text.", "recipe": "x" * 65},
        {"text": "A text.", "recipe": "\ud800"},
        *(
            {"text": "A text.", "callback_url": url}
            for url in ("", "x", "ftp://x/", "file:///etc", 7, "http://")
        ),
        *(
            {"text": "A text.", "slack_channel": channel}
            for channel in ("", "general", "#C1", "C" * 30, "C1\nC2")
        ),
    ],
    ids=lambda body: ascii(body)[:50],
)
def test_a_body_that_is_not_asked_for(either_door: Door, body: object) -> None:
    """422 that names the field."""
    answer = either_door.client.post("/api/analyses", content=json.dumps(body), headers=JSON)

    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]
    assert either_door.jobs() == []


@pytest.mark.parametrize("body", [[], [{"text": "A text."}], "text", "", None, 7, True], ids=ascii)
def test_what_is_json_but_no_object(door: Door, body: object) -> None:
    """422 in the API's words."""
    answer = door.client.post("/api/analyses", content=json.dumps(body), headers=JSON)

    expected = {"detail": 'The body is not a JSON object, such as {"text": "..."}.'}
    assert (answer.status_code, answer.json()) == (422, expected)
    assert door.jobs() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"text": "A text."',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"text": ' + b"9" * 5000 + b"}",
        "'text'".encode("utf-16"),
    ],
    ids=lambda body: repr(body)[:20],
)
def test_what_is_not_json(door: Door, body: bytes) -> None:
    """400."""
    answer = door.client.post("/api/analyses", content=body, headers=JSON)

    assert (answer.status_code, answer.json()) == (400, {"detail": "The body is not JSON."})


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "é"]
)
def test_another_content_type(door: Door, kind: str) -> None:
    """415 that names the two that are taken."""
    answer = door.client.post(
        "/api/analyses", content=b'{"text": "A text."}', headers={"content-type": kind.encode()}
    )

    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]
    assert "multipart/form-data" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"x", 400),
        ("multipart/form-data; boundary=b; charset=klingon", b"--b--", 422),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--", 400),
        ("multipart/form-data; boundary=b", b"", 422),
    ],
)
def test_a_broken_form(door: Door, kind: str, body: bytes, status: int) -> None:
    """It is said, and no row is made."""
    answer = door.client.post("/api/analyses", content=body, headers={"content-type": kind})

    assert answer.status_code == status, answer.text
    assert door.jobs() == []


def test_a_form_with_more_than_a_few_files_and_fields(door: Door) -> None:
    """Eleven files, or twenty fields, or an unknown one."""
    eleven = [("file", ("a.txt", b"a"))] * 11
    many = {f"field{number}": (None, "x") for number in range(20)}

    assert door.client.post("/api/analyses", files=eleven).status_code == 400
    assert door.client.post("/api/analyses", files=many).status_code == 400
    assert door.client.post("/api/analyses", files={"file": (None, "not a file")}).status_code == 422


@pytest.mark.parametrize(
    "job_id", ["x", "0" * 12, "%00", "..%2Fx", "%F0%9F%98%80", "x" * 3000, "'%20OR%201=1"]
)
def test_an_id_that_is_none(either_door: Door, job_id: str) -> None:
    """404 for reading and for cancelling."""
    assert either_door.client.get(f"/api/analyses/{job_id}").status_code == 404
    assert either_door.client.delete(f"/api/analyses/{job_id}").status_code == 404


def test_a_key_that_is_too_long(door: Door) -> None:
    """422; 200 characters fit."""
    answer = door.client.post(
        "/api/analyses", json={"text": "A text."}, headers={"idempotency-key": "k" * 201}
    )

    assert answer.status_code == 422


def test_a_database_that_does_not_answer(either_door: Door) -> None:
    """503 with when to try again; nothing was saved, and the same key makes the job later."""
    headers = {"idempotency-key": "order-7"}
    with locked(either_door):
        answer = either_door.client.post("/api/analyses", json={"text": "A text."}, headers=headers)

        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert either_door.bell.rings == []
    assert (
        either_door.client.post("/api/analyses", json={"text": "A text."}, headers=headers).status_code == 202
    )
    with locked(either_door):
        job_id = "0" * 12
        assert either_door.client.delete(f"/api/analyses/{job_id}").status_code in {404, 503}
    assert len(either_door.jobs()) == 1


def test_the_log_does_not_quote(door: Door) -> None:
    """Neither what was taken nor what was refused."""
    for body in (
        {"text": "swordfish words"},
        {"text": "", "swordfish": 1},
        {"text": "x", "recipe": "swordfish"},
    ):
        door.client.post("/api/analyses", json=body)
    door.client.post("/api/analyses", content=b"swordfish", headers=JSON)

    assert "swordfish" not in repr(door.logged)


def test_the_openapi_document(door: Door) -> None:
    """It names every address, both bodies and the token, and all its references lead somewhere."""
    document = door.client.get("/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    create = document["paths"]["/api/analyses"]["post"]
    assert set(create["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert create["security"] == [{"HTTPBearer": []}]
    assert set(document["paths"]["/api/analyses/{job_id}"]) == {"get", "delete"}
    assert {"/healthz", "/readyz"} <= set(document["paths"])
    assert "/slack/events" not in document["paths"]
    for name in references(document):
        part = document
        for key in name.removeprefix("#/").split("/"):
            part = part[key]
    assert door.client.get("/docs").status_code == 200


def references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [name for inner in part.values() for name in references(inner)]
    return [name for inner in part for name in references(inner)] if isinstance(part, list) else []
