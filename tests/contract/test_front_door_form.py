"""The form that comes back with files: what the job is for, and what is said beside the field."""

from typing import Any

import pytest

from bot.views.modal import Origin
from tests import front_door_rig as rig
from tests import fuzz
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
MB = 1_000_000


def submit(door: Door, text: str | None, *files: dict[str, Any], **more: str) -> dict[str, Any]:
    """What the form's sender is answered; the files are as Slack describes them."""
    values: dict[str, Any] = {
        "recipe": {"recipe": {"type": "static_select", "selected_option": {"value": "summarize"}}},
        "text": {"text": {"type": "plain_text_input", "value": text}},
        "files": {"files": {"type": "file_input", "files": list(files)}},
    }
    values |= {name: {name: {"type": "plain_text_input", "value": value}} for name, value in more.items()}
    payload = fuzz.view("view_submission", "analysis")
    payload["view"] |= {"private_metadata": str(Origin("C1", None)), "state": {"values": values}}
    response = door.interaction(payload)
    assert response.status_code == 200
    return dict(response.json()) if response.content else {}


def file(number: int, size: object = 10) -> dict[str, Any]:
    return {
        "id": f"F{number:03}",
        "name": f"{number}.pdf",
        "size": size,
        "url_private": "https://files.slack.com/x",
    }


def test_files_of_the_form_are_the_jobs(door: Door) -> None:
    """By id and name alone, with the words as the wish."""
    assert not submit(door, "Only the costs.", file(1), file(2))
    job = door.job()
    assert job.files == [{"id": "F001", "name": "1.pdf"}, {"id": "F002", "name": "2.pdf"}]
    assert job.text == "Only the costs."


def test_a_file_needs_no_text(door: Door) -> None:
    assert not submit(door, None, file(1))
    assert door.job().text == ""


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en-US", "Write a text, or attach a file."), ("ko-KR", "글을 쓰거나 파일을 올려 주세요.")],
)
def test_neither_is_told_beside_the_text(door: Door, locale: str, said: str) -> None:
    door.speaks("U1", locale)
    assert said in submit(door, None)["errors"]["text"]
    assert not door.jobs()


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en-US", "2.pdf has 50.1 MB, and 50 MB is the most. Attach a smaller file"),
        ("ko-KR", "2.pdf 파일은 50.1MB인데 50MB까지 읽을 수 있습니다."),
    ],
)
def test_a_file_that_is_too_large_is_told_beside_the_files(door: Door, locale: str, said: str) -> None:
    """Slack names its size, so nobody waits for the line to learn of it."""
    door.speaks("U1", locale)
    answer = submit(door, None, file(1, 50 * MB), file(2, 50 * MB + 1))
    assert answer["response_action"] == "errors"
    assert said in answer["errors"]["files"]
    assert not door.jobs()


@pytest.mark.parametrize("junk", ["F1", None, {"id": 7}, {"id": "F1/../x"}, {"id": "F001", "size": "much"}])
def test_no_junk_breaks_the_form(door: Door, junk: Any) -> None:
    """What is no file's description is left out, and the form is answered."""
    assert not submit(door, "A text.", junk)
    assert door.job().files in ([], [{"id": "F001", "name": ""}])
