"""Every text that a person can read: there in every language, with the same places, and nothing left over."""

import pathlib
import re
import string

import pytest

from tasks import catalogue, recipes
from tasks.catalogue import LANGUAGES, say

ROOT = pathlib.Path(catalogue.__file__).parents[2]
CODE = "\n".join(
    path.read_text("utf-8") for room in ("bot", "db", "tasks") for path in (ROOT / room).rglob("*.py")
)

# What the code gives with each error, beside texts of its own that every failure has.
GIVEN = {
    "empty": {},
    "no_question": {"recipe", "example"},
    "no_labels": {"recipe", "example"},
    "no_fields": {"recipe", "example"},
    "names": {"recipe", "most", "longest"},
    "too_many_items": {"recipe", "items", "limit"},
    "bad_form": {"recipe"},
    "not_confirmed": {"minutes", "calls"},
    "too_long": {"recipe", "tokens", "limit"},
    "unknown_recipe": {"word", "closest", "recipes"},
    "thread_unreadable": {"code"},
    "slack_down": {"code"},
    "context": {"detail"},
    "context_small": {"recipe", "tokens"},
    "model_refused": {"detail"},
    "model_broken": {"attempts"},
    "model_silent": {},
    "deadline": {"minutes"},
    "banned": {},
    "not_allowed": {},
    "guest": {},
    "guest_unknown": {},
    "group_unknown": {},
    "recipe_off": {"recipe"},
    "draining": {"says"},
    "quota": {"used", "limit", "hours"},
    "quota_channel": {"used", "limit", "hours"},
    "tokens": {"used", "tokens", "limit", "hours"},
    "tokens_channel": {"used", "tokens", "limit", "hours"},
    "bug": {},
    "unread": {"problems"},
}


def text(language: str, key: str) -> str:
    return catalogue._texts(language)[key]


def places(language: str, key: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text(language, key)) if name is not None}


def codes_in_the_code() -> set[str]:
    """Every error code that the code can end a job with."""
    found = set(re.findall(r'\bfail\(\s*\w+,\s*(?:done\.)?job,\s*"(\w+)"', CODE))
    for raised in re.findall(r"\b(?:Impossible|Refusal)\(([^)]*)\)", CODE):
        found |= set(re.findall(r'"(\w+)"(?!:)', raised))
    return found


def test_all_languages_have_the_same_keys():
    assert LANGUAGES == ("en", "ko")
    assert catalogue.keys("en") == catalogue.keys("ko")


@pytest.mark.parametrize("key", sorted(catalogue.keys("en")))
def test_all_languages_have_the_same_places_and_say_something(key):
    assert places("en", key) == places("ko", key)
    for language in LANGUAGES:
        assert text(language, key)
        say(language, key, **dict.fromkeys(places(language, key), "x"))


@pytest.mark.parametrize("key", sorted(catalogue.keys("en")))
def test_no_text_has_angle_brackets_but_those_of_slack(key):
    """Slack takes all else between them for a link, also within code."""
    for language in LANGUAGES:
        assert not re.search("[<>]", re.sub(r"<[@#]\{\w+\}>", "", text(language, key)))


def test_every_error_that_the_code_can_make_has_its_words():
    codes = codes_in_the_code()
    assert {"bug", "deadline", "too_long", "slack_down", "model_refused"} <= codes
    assert codes == set(GIVEN)
    assert {f"error.{code}" for code in codes} == {
        key for key in catalogue.keys("en") if key.startswith("error.")
    }


@pytest.mark.parametrize("code", sorted(GIVEN))
def test_an_error_says_no_more_than_the_code_gives_it(code):
    for language in LANGUAGES:
        assert places(language, f"error.{code}") <= set(GIVEN[code])


def test_both_numbers_of_a_limit_are_told():
    assert {"tokens", "limit"} <= places("en", "error.too_long")
    assert {"items", "limit"} <= places("en", "error.too_many_items")


def test_the_fields_and_values_of_the_built_in_recipes_have_words():
    for recipe in recipes.load():
        if recipe.form and recipe.name != "extract":
            (*_, inner) = [form for form in forms(recipe.form) if "enum" not in form]
            names = {*inner["properties"]}
            assert {f"column.{name}" for name in names} <= catalogue.keys("ko")
            said = {value for form in forms(recipe.form) for value in form.get("enum", [])} - {"$names"}
            assert {f"value.{value}" for value in said} <= catalogue.keys("ko")


def forms(schema: dict) -> list[dict]:
    """A schema and all below it that describe objects or choices, outermost first."""
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    own = [schema] if "enum" in schema or "properties" in schema else []
    return own + [form for each in inner for form in forms(each)]


def test_every_key_that_the_code_names_is_there():
    named = set(re.findall(r'\bsay\(\s*[^,()]+(?:\([^()]*\))?,\s*"([a-z_.]+)"', CODE))
    assert {"card.received", "result.file", "failure.title"} <= named
    assert named <= catalogue.keys("en")


def test_every_text_is_used():
    dynamic = re.findall(r'f"(\w+\.\w*)\{', CODE)
    # `word` looks a name up in a table, and the names are those of recipes' forms.
    dynamic += [f"{table}." for table in re.findall(r'\bword\(language, "(\w+)"', CODE)]
    unused = {
        key
        for key in catalogue.keys("en")
        if f'"{key}"' not in CODE and not any(key.startswith(beginning) for beginning in dynamic)
    }
    assert unused == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_people_wrote_is_not_read_as_places(language):
    said = say(language, "error.unknown_recipe", word="{closest.__class__}", closest="a", recipes="b")
    assert "{closest.__class__}" in said


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("ko-KR", "ko"),
        ("ko", "ko"),
        ("en-GB", "en"),
        ("de-DE", "ko"),
        ("", "ko"),
        (None, "ko"),
        ("KO-kr", "ko"),
    ],
)
def test_people_are_spoken_to_in_a_language_we_speak(locale, language):
    assert catalogue.language_of(locale, "ko") == language


def test_a_text_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        say("en", "error.no_such")
