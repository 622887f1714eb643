"""`/analyze`: what it takes, and what the person reads at once."""

import pytest

from db.states import Origin
from tasks.catalogue import say
from tests import front_door_rig as rig
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door

RECIPES = ("summarize", "key-points", "sentiment", "action-items", "translate", "ask")


@pytest.mark.parametrize(
    ("written", "recipe", "text"),
    [
        ("Some text without a name.", "summarize", "Some text without a name."),
        ("key-points One. Two.", "key-points", "One. Two."),
        ("번역 Good morning.", "translate", "Good morning."),
        ("  \n The payload of this command  ", "summarize", "The payload of this command"),
        ("payload=1&payload=2", "summarize", "payload=1&payload=2"),
        ('{"type": "event_callback"}', "summarize", '{"type": "event_callback"}'),
        ("한국어 & <@U2|someone> + 100%", "summarize", "한국어 & <@U2|someone> + 100%"),
    ],
)
def test_a_command_makes_a_job_without_a_thread(door: Door, written: str, recipe: str, text: str) -> None:
    """Its card will be the thread's first message, so the person is told nothing more now."""
    sent = rig.command(written)

    answer = door.command(sent)

    assert (answer.status_code, answer.content) == (200, b"")
    job = door.job()
    assert (job.origin, job.team, job.channel, job.requester) == (Origin.COMMAND, "T1", "C1", "U1")
    assert (job.thread_ts, job.message_ts) == (None, None)
    assert (job.recipe, job.text, job.response_url) == (recipe, text, sent["response_url"])


def test_a_long_command_is_stored_whole(either_door: Door) -> None:
    """Slack's longest message, in letters that take three bytes, six with the form's escapes around them."""
    either_door.command(rig.command("글" * 40_000))

    assert either_door.job().text == "글" * 40_000


@pytest.mark.parametrize(
    ("locale", "written", "language"),
    [("en-US", "help", "en"), ("ko-KR", "help", "ko"), (None, "HELP ", "en"), (None, "도움말", "ko")],
)
def test_help_names_every_recipe(door: Door, locale: str | None, written: str, language: str) -> None:
    """In the person's language, or the one they wrote in; no job."""
    if locale:
        door.speaks("U1", locale)

    answer = door.command(rig.command(written)).json()

    assert say(language, "help.title") in answer["text"]
    assert all(f"`{name}`" in answer["text"] for name in RECIPES)
    assert "\n\n".join(block["text"]["text"] for block in answer["blocks"]) == answer["text"]
    assert all(len(block["text"]["text"]) <= 3000 for block in answer["blocks"])
    assert "response_type" not in answer  # Slack's default: only that person sees it.
    assert door.jobs() == []


@pytest.mark.parametrize(("locale", "language"), [("en-US", "en"), ("ko-KR", "ko"), ("ja-JP", "en")])
def test_an_unknown_recipe_gets_the_list_and_the_closest_name(door: Door, locale: str, language: str) -> None:
    """In the person's language; English where we do not speak it."""
    door.speaks("U1", locale)

    answer = door.command(rig.command("sumarize this text")).text

    named = {"word": "sumarize", "closest": "summarize"}
    words = say(language, "error.unknown_recipe", **named, recipes=", ".join(door.resources.recipes.names()))
    assert answer == words
    assert all(name in answer for name in RECIPES)
    assert door.jobs() == []


@pytest.mark.parametrize("written", ["", "   ", "key-points", "번역 "])
def test_an_empty_command_says_how_to_ask(door: Door, written: str) -> None:
    """With or without a recipe's name."""
    answer = door.command(rig.command(written)).text

    assert "/analyze" in answer
    assert door.jobs() == []


def test_the_default_language_is_a_setting(sqlite_url: str) -> None:
    """For people of whom Slack has told nothing yet, writing in letters that tell nothing."""
    with rig.opened(sqlite_url, language="ko") as korean:
        answer = korean.command(rig.command("")).text

    assert answer == say("ko", "intake.empty", command="/analyze")


def test_another_name_for_the_command_is_a_setting(sqlite_url: str) -> None:
    """SLACK_COMMAND, for workspaces where /analyze is taken; the old name is then not ours."""
    with rig.opened(sqlite_url, slack_command="/threadline") as renamed:
        renamed.command(rig.command("A text.", command="/threadline"))
        renamed.command(rig.command("A text."))
        help_text = renamed.command(rig.command("help", command="/threadline")).json()["text"]

        assert len(renamed.jobs()) == 1
    assert "`/threadline status`" in help_text
