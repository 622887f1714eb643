"""Recipes that owners make, with the whole product running: from the form to the words that reach the model."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.views import own_recipe as view
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, Stack
from tests.acceptance.test_owners import ask

pytestmark = pytest.mark.timeout(180)

POEM = "Write three lines about what the sea does in the text."
SONG = "Write the refrain of a song about the harbour."
TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."


@pytest.fixture
def owned(stack: Stack) -> Iterator[Stack]:
    """Ada is an owner, and the model says what it was told to do."""
    assert stack.order("admins", "add", ADA)[0] == 0
    stack.act("model", answer="instructions")
    yield stack
    stack.order("recipe", "delete", "haiku", "T0PLAY")
    stack.order("admins", "remove", ADA)


def form(stack: Stack, words: str, user: str = ADA) -> dict[str, Any]:
    """The form that an owner's order opens."""
    said = stack.act("command", user=user, channel=GENERAL, command="/analyze", text=f"admin recipe {words}")
    assert said["status"] == 200, said
    (opened,) = stack.look("views", user=user)["views"]
    return dict(opened)


def submit(stack: Stack, opened: dict[str, Any], user: str = ADA, **fields: Any) -> dict[str, Any]:
    values = {view.action(name): value for name, value in fields.items()}
    return dict(stack.act("submit", user=user, view_id=opened["id"], values=values)["ack"] or {})


def made(stack: Stack, instructions: str = POEM, **fields: Any) -> None:
    """A recipe that everybody here can use from now on."""
    opened = form(stack, "new")
    words = {"name": "haiku", "purpose_en": "Three lines on a text.", "instructions": instructions}
    assert submit(stack, opened, **words, **fields) == {}
    assert not stack.look("views", user=ADA)["views"]


def said(stack: Stack, text: str) -> str:
    """The answer to somebody's mention."""
    return str(stack.answer(GENERAL, ask(stack, LEO, text))["text"])


def test_what_an_owner_writes_in_the_form_reaches_the_model(owned: Stack) -> None:
    """For anybody who asks, in whatever process; the owner is told, and the Home shows it."""
    made(owned, korean_name="하이쿠", purpose_ko="글로 세 줄을 씁니다.")
    assert POEM in said(owned, f"haiku {TEXT}")
    assert POEM in said(owned, f"하이쿠 {TEXT}")
    owned.wait(lambda: "`haiku` is there" in str(owned.look("ephemerals", user=ADA)), "Ada is told")
    owned.act("home", user=MINJI)
    owned.wait(lambda: "글로 세 줄을 씁니다." in str(owned.look("home", user=MINJI)), "the Home shows it")


def test_errors_stay_in_the_form_until_they_are_mended(owned: Stack) -> None:
    """Beside their field; then the same form is taken."""
    opened = form(owned, "new")
    words = {"purpose_en": "Three lines on a text.", "instructions": POEM}
    told = submit(owned, opened, name="tldr", **words)
    assert "`summarize`" in told["errors"]["own_name"]
    assert owned.look("views", user=ADA)["views"]
    assert submit(owned, opened, name="haiku", **words) == {}


def test_a_request_in_line_is_answered_as_it_was_asked(owned: Stack) -> None:
    """Whatever the owners change or take back while it waits."""
    made(owned)
    assert owned.order("pause", "main")[0] == 0
    first = ask(owned, LEO, f"haiku {TEXT}")
    owned.wait(lambda: owned.replies(GENERAL, first, "card"), "the first has its card")
    opened = form(owned, "edit haiku")
    assert POEM in str(opened)
    assert submit(owned, opened, instructions=SONG) == {}
    second = ask(owned, MINJI, f"haiku {TEXT}")
    owned.wait(lambda: owned.replies(GENERAL, second, "card"), "the second has its card")
    assert owned.order("recipe", "list")[1].count("haiku") == 1
    owned.act("command", user=ADA, channel=GENERAL, command="/analyze", text="admin recipe delete haiku")
    assert owned.order("resume", "main")[0] == 0

    assert POEM in owned.answer(GENERAL, first)["text"]
    assert SONG in owned.answer(GENERAL, second)["text"]
    failed = ask(owned, LEO, "haiku")
    owned.wait(lambda: owned.replies(GENERAL, failed, "failure"), "who asks for it now is told")


def test_a_choice_of_words_becomes_a_chart(owned: Stack) -> None:
    """One of the owners' words for each line."""
    owned.act("model", answer="summary")
    made(owned, answer="rows", choices="calm, stormy")
    answer = owned.answer(GENERAL, ask(owned, LEO, "haiku The wind rose.\nThe wind fell."))
    (chart,) = [block for block in answer["blocks"] if block["type"] == "data_visualization"]
    assert {segment["label"] for segment in chart["chart"]["segments"]} <= {"calm", "stormy"}
