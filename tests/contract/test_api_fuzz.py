"""The HTTP API against requests made from its own OpenAPI document: no failure, and only answers that it tells of."""

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import front_door_rig as rig
from tests import fuzz
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url = rig.migrated_sqlite, rig.sqlite_url

WORDS = fuzz.WORDS
BEARER = {"authorization": "Bearer alice-token-of-16"}
FUZZ = settings(
    max_examples=250,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VERBS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
ADDRESSES = [
    "http://127.0.0.1:9/",
    "https://[::1]/",
    "https://a.test/" + "x" * 3000,
    "http://a.test:99999/",
    "x",
]


OPEN_QUOTE = 'multipart/form-data; boundary="b'


@pytest.fixture
def door(sqlite_url: str) -> Iterator[Door]:
    """With tokens, so that nothing opens without one, and with room for all that is asked."""
    tokens = "alice:alice-token-of-16,bob:bob-token-of-16-x"
    with rig.opened(sqlite_url, api_tokens=tokens, most_open=1_000_000) as made:
        yield made


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of the document lets through: of its types, its formats, and its lengths."""
    if "anyOf" in schema:
        return st.one_of(*map(values, schema["anyOf"]))
    match schema.get("type"):
        case "null":
            return st.none()
        case "object":
            fields = {name: values(of) for name, of in schema["properties"].items()}
            needed = {name: fields.pop(name) for name in schema.get("required", [])}
            return st.fixed_dictionaries(needed, optional=fields)
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        case "string" if schema.get("format") == "uri":
            return st.sampled_from(ADDRESSES)
        case "string":
            most = min(schema.get("maxLength", 300), 300)
            return st.text(st.characters(codec=None), min_size=schema.get("minLength", 0), max_size=most)
    raise AssertionError(f"teach this test about {schema}")


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """All of them; /readyz takes nothing, and waits for a broker that is not here."""
    return [
        (verb, path, operation)
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        if verb in VERBS and path != "/readyz"
    ]


def bodies(operation: dict[str, Any], kind: str) -> st.SearchStrategy[Any]:
    """What the document says that an operation takes, or such a thing with places broken."""
    schema = operation["requestBody"]["content"][kind]["schema"]
    right = values(schema)
    return right | right.flatmap(lambda body: fuzz.mutated([{"text": WORDS, **body}])) | fuzz.VALUES


def check(door: Door, answer: Any, operation: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """No failure, an answer in JSON, and a log that quotes nothing."""
    assert answer.status_code < 500, answer.text
    if answer.status_code in {200, 202}:
        assert str(answer.status_code) in operation["responses"]
    if not answer.is_redirect:
        assert isinstance(answer.json(), dict)
    errors = [each["exc_info"] for each in door.logged if isinstance(each.get("exc_info"), BaseException)]
    printed = "".join(line for error in errors for line in traceback.format_exception(error))
    assert WORDS not in repr(door.logged) + printed + caplog.text
    door.logged.clear()


def test_every_operation_is_fuzzed_here(door: Door) -> None:
    """An operation that is added later shows up, with the kinds of body that are known here."""
    document = door.client.get("/openapi.json").json()
    for verb, path, operation in operations(document):
        taken = operation.get("requestBody", {}).get("content", {})
        assert set(taken) <= {"application/json", "multipart/form-data"}, (verb, path)
        for content in taken.values():
            assert content["schema"]["type"] == "object", (verb, path)


@FUZZ
@given(data=st.data())
def test_any_request_to_any_operation(door: Door, caplog: pytest.LogCaptureFixture, data: Any) -> None:
    """Right, nearly right and wrong, with a token, another's or none; the same key never makes a second job."""
    document = door.client.get("/openapi.json").json()
    verb, path, operation = data.draw(st.sampled_from(operations(document)))
    filled = data.draw(st.sampled_from(["0" * 12, "%00", "..%2f", "é", "x" * 500, "{job_id}", "%ff"]))
    headers = data.draw(st.sampled_from([BEARER, {"authorization": "Bearer bob-token-of-16-x"}, {}]))
    key = data.draw(st.none() | st.sampled_from(["k1", "k2", "", "k" * 200, "k" * 201]))
    if key is not None:
        headers = {**headers, "idempotency-key": key}
    options: dict[str, Any] = {}
    if "requestBody" in operation:
        body = data.draw(bodies(operation, "application/json"))
        options["content"] = json.dumps(body)
        headers = {**headers, "content-type": "application/json"}
    before = len(door.jobs())

    answers = [
        door.client.request(verb.upper(), path.replace("{job_id}", filled), headers=headers, **options)
        for _ in range(2)
    ]

    for answer in answers:
        check(door, answer, operation, caplog)
    if headers.get("authorization") is None and path.startswith("/api/"):
        # 307: the path led elsewhere, where a token is needed too; 404 of the router: it led nowhere.
        for answer in answers:
            assert answer.status_code in {401, 307} or answer.json() == {"detail": "Not Found"}
    assert len(door.jobs()) - before <= (2 if not key else 1)


# Starlette leaves the file of a form that breaks off to be closed by its last reference, which goes at once.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning"
)
@FUZZ
@given(data=st.data())
def test_any_form(door: Door, caplog: pytest.LogCaptureFixture, data: Any) -> None:
    """Fields and files of any name, kind and content, in a form that is whole or cut off."""
    document = door.client.get("/openapi.json").json()
    operation = document["paths"]["/api/analyses"]["post"]
    names = st.sampled_from(["file", "text", "recipe", "callback_url", "slack_channel", "other", ""])
    contents = st.binary(max_size=60) | st.just(WORDS.encode()) | st.just(b"")
    parts = data.draw(
        st.lists(st.tuples(names, st.none() | st.sampled_from(["a.txt", "", "../x", "é"]), contents))
    )
    body = b""
    for name, file_name, content in parts:
        named = f'; filename="{file_name}"' if file_name is not None else ""
        head = f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    body += b"--b--\r\n"
    body = body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body
    kind = data.draw(
        st.sampled_from(["multipart/form-data; boundary=b", "multipart/form-data; boundary=", OPEN_QUOTE])
    )

    answer = door.client.post(
        "/api/analyses", content=body, headers={**BEARER, "content-type": kind.encode()}
    )

    check(door, answer, operation, caplog)


@FUZZ
@given(
    body=st.binary(max_size=100),
    kind=st.text(st.characters(max_codepoint=255, min_codepoint=32), max_size=40),
)
def test_noise(door: Door, caplog: pytest.LogCaptureFixture, body: bytes, kind: str) -> None:
    """Bytes of any kind."""
    document = door.client.get("/openapi.json").json()
    headers = {**BEARER, "content-type": kind.encode("latin-1")}
    answer = door.client.post("/api/analyses", content=body, headers=headers)

    check(door, answer, document["paths"]["/api/analyses"]["post"], caplog)
    assert door.jobs() == []
