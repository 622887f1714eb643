"""Examples of recipes name the command that works in the workspace (SLACK_COMMAND)."""

import json
from datetime import timedelta

import pytest

from bot.listeners import again, modal
from bot.payloads import forms
from bot.views import help as help_view
from bot.views import home as home_view
from bot.views import modal as modal_view
from db.models import Job
from db.people import Preferences, Usage
from tasks import recipes, understood
from tasks.catalogue import LANGUAGES
from tasks.prepare.stage import prepare
from tasks.recipes.own import Own
from tests import fakes
from tests.fakes import NOW, accepted, the

OURS = "/threadline"


@pytest.fixture
def renamed(sqlite_engine):
    fakes.declare(sqlite_engine)
    return fakes.resources(sqlite_engine, fakes.Clock(), slack_command=OURS)


@pytest.fixture
def all_recipes():
    mine = Own(
        name="tone", korean_name="말투", purpose_en="How it sounds.", instructions="Say how it sounds."
    )
    return recipes.load().also([mine.recipe()])


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_help_and_the_home_say_it_of_every_recipe(all_recipes, language):
    facts = home_view.Facts([], [], Usage(0, 0, 0, 0), 5, Preferences(), timedelta(days=30))
    for shown in (
        help_view.message(language, OURS, all_recipes)["blocks"],
        home_view.home(language, OURS, all_recipes, facts, NOW)["blocks"],
    ):
        words = json.dumps(shown, ensure_ascii=False)
        assert all(f"{OURS} {recipe.called(language)} " in words for recipe in all_recipes)
        assert "/analyze" not in words


def test_the_forms_say_it_beside_a_missing_question(renamed):
    filled = modal_view.Filled("A text.", [], "", "ask", None, only_me=False)
    job = accepted(renamed.engine)
    first = forms.Submission("T1", "U1", "V1", modal_view.Origin("C1", None), filled)
    further = forms.Again("T1", "U1", "V2", job.id, filled)
    for answer in (modal.take(renamed, first), again.take(renamed, further)):
        assert f"for example: {OURS} ask " in answer["errors"][modal_view.QUESTION]


def assert_failure_shows_an_example(renamed, job: Job, recipe: str) -> None:
    failed = the(renamed.engine, Job, job.id)
    for language in LANGUAGES:
        example = recipes.load().get(recipe).example_of(language, OURS)
        assert example.startswith(f"{OURS} ")
        assert example in understood.reason(language, failed)


@pytest.mark.parametrize("recipe", ["classify", "extract"])
def test_a_failure_for_want_of_names_says_it(renamed, recipe):
    job = accepted(renamed.engine, recipe=recipe, text=": A text.")
    prepare(renamed, job.id)
    assert_failure_shows_an_example(renamed, job, recipe)


def test_a_failure_for_want_of_a_question_says_it(renamed):
    said = {"channel": "C1", "user": "U2", "text": "We ship.", "ts": "1.0", "thread_ts": "1.0"}
    renamed.slack.messages.append(said)
    job = accepted(
        renamed.engine, recipe="ask", text="", thread_ts="1.0", material_ts="1.0", message_ts="9.0"
    )
    prepare(renamed, job.id)
    assert_failure_shows_an_example(renamed, job, "ask")


def test_an_example_that_begins_with_something_else_stays(all_recipes):
    said = all_recipes.default.example.model_copy(update={"en": "@Threadline minutes /analyze"})
    recipe = all_recipes.default.model_copy(update={"example": said})
    assert recipe.example_of("en", OURS) == "@Threadline minutes /analyze"
