"""Values that are hidden from the model, through the whole product: what arrives there, what people read, what is kept."""

from typing import Any

import pytest
import sqlalchemy as sa

from db import session
from db.models import Base
from db.states import JobState
from tests.acceptance.stack import ADA, Stack

pytestmark = pytest.mark.timeout(300)

PHONE, ACCOUNT, MAIL = "010-7315-2948", "620402-04-118833", "mina.kim@kestrel-bay.example"
WRITTEN = (
    f"담당자 김민지의 전화는 {PHONE}이고 계좌는 국민은행 {ACCOUNT}입니다. Please write to {MAIL} about it."
)
# The first value stands in the message, too, and has one name in both.
LONDON, CARD = "+44 20 7946 0958", "4111 1111 1111 1111"
FILE = f"이름,전화,비고\n박철수,{PHONE},없음\nLeo Hart,{LONDON},card {CARD}\n"
VALUES = (PHONE, ACCOUNT, MAIL, LONDON, CARD)
NAMES = ("PHONE-1", "PHONE-2", "ACCOUNT-1", "EMAIL-1", "CARD-1")


def admin(stack: Stack, *words: str) -> None:
    assert stack.order(*words)[0] == 0


def rows(stack: Stack) -> list[dict[str, Any]]:
    """Every row of every table, its columns as `table.column`."""
    engine = session.connect(stack.environment["DATABASE_URL"])
    try:
        with session.reading(engine) as reading:
            return [
                {f"{table.name}.{column}": value for column, value in row.items()}
                for table in Base.metadata.sorted_tables
                for row in reading.execute(sa.select(table)).mappings()
            ]
    finally:
        engine.dispose()


def columns_with_values(stack: Stack) -> set[str]:
    """Where any of the values stand in the database."""

    def written(cell: Any) -> str:
        return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)

    cells = [cell for row in rows(stack) for cell in row.items()]
    return {column for column, cell in cells if any(value in written(cell) for value in VALUES)}


def job(stack: Stack, text: str) -> dict[str, Any]:
    """The row of the request with this in its text, if it is there already."""
    return next((row for row in rows(stack) if text in str(row.get("jobs.text"))), {})


def reaches(stack: Stack, text: str, state: JobState) -> dict[str, Any]:
    """The row once the request is in that state."""
    found = stack.wait(lambda: (row := job(stack, text)).get("jobs.state") is state and row, f"it is {state}")
    return dict(found)


def are_sealed(row: dict[str, Any]) -> bool:
    """Whether values are kept, and cannot be read."""
    kept = str(row["jobs.originals"])
    return kept.startswith("gAAAA") and not any(value in kept for value in VALUES)


def all_hidden(said: str) -> bool:
    """Whether what the stand-in was given, and says again, has a name for each value and none of them."""
    return all(f"[{name}]" in said for name in NAMES) and not any(value in said for value in VALUES)


def test_what_is_asked_in_slack(stack: Stack) -> None:
    """A message and a file: the model is given placeholders, the thread has the values, and then they are gone."""
    stack.act("model", answer="echo")
    sent = stack.http.post(
        "/control/file", data={"user": ADA}, files={"file": ("연락처.csv", FILE.encode("cp949"))}
    )
    admin(stack, "pause", "main")
    ts = stack.say(ADA, "D0ADA", f"{WRITTEN} In Slack.", files=[sent.json()["file"]["id"]])
    assert are_sealed(reaches(stack, "In Slack.", JobState.WAITING))
    assert columns_with_values(stack) == {"jobs.text"}
    admin(stack, "resume", "main")

    shown = str(stack.answer("D0ADA", ts)["blocks"])

    after = reaches(stack, "In Slack.", JobState.DONE)
    assert all_hidden(after["jobs.result"])
    assert all(value in shown for value in VALUES)
    assert after["jobs.originals"] is None
    assert columns_with_values(stack) == {"jobs.text"}
    assert not any(value in stack.logs() for value in VALUES)


def test_what_is_asked_by_http(stack: Stack) -> None:
    """The same; the values stay sealed for as long as the result can be read, and the file goes with its answer."""
    stack.act("model", answer="echo")
    admin(stack, "pause", "main")
    form = {"files": [("file", ("contacts.csv", FILE.encode()))], "data": {"text": f"{WRITTEN} By HTTP."}}
    path = f"/api/analyses/{stack.api('POST', '/api/analyses', **form).json()['id']}"
    assert are_sealed(reaches(stack, "By HTTP.", JobState.WAITING))
    assert columns_with_values(stack) == {"jobs.text", "uploads.content"}
    admin(stack, "resume", "main")

    after = reaches(stack, "By HTTP.", JobState.DONE)

    assert all_hidden(after["jobs.result"])
    assert are_sealed(after)
    read = stack.api("GET", path).json()["result"]
    assert all(value in read for value in VALUES)
    assert columns_with_values(stack) == {"jobs.text"}
    assert not any(value in stack.logs() for value in VALUES)


def test_what_is_cancelled_keeps_nothing(stack: Stack) -> None:
    """Also the values that were sealed for it."""
    admin(stack, "pause", "main")
    path = f"/api/analyses/{stack.api('POST', '/api/analyses', json={'text': f'{WRITTEN} No.'}).json()['id']}"
    reaches(stack, "No.", JobState.WAITING)
    stack.api("DELETE", path)
    assert reaches(stack, "No.", JobState.CANCELLED)["jobs.originals"] is None
    admin(stack, "resume", "main")


def test_owners_switch_it_off_and_on(stack: Stack) -> None:
    """For requests from then on; the model is then given what was written."""
    stack.act("model", answer="echo")
    admin(stack, "redaction", "off")
    stack.answer("D0ADA", stack.say(ADA, "D0ADA", f"{WRITTEN} Off."))
    assert PHONE in reaches(stack, "Off.", JobState.DONE)["jobs.result"]
    admin(stack, "redaction", "none")
    stack.answer("D0ADA", stack.say(ADA, "D0ADA", f"{WRITTEN} On again."))
    assert PHONE not in reaches(stack, "On again.", JobState.DONE)["jobs.result"]
