"""The documentation agrees with the code: links lead somewhere, and what it names is there."""

import configparser
import pathlib
import re

import pytest

from db import states
from docs.reference import generate
from playground.config import Config
from tasks import catalogue
from tasks.recipes import recipe
from tasks.settings import Settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "playground" / "README.md", *ROOT.glob("docs/**/*.md")]
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
SETTING = re.compile(
    r"\b(?:(?:SLACK|ALERT|LLM|DATABASE|BROKER|API|JOB|PREPARE|INFER|DELIVER|LOG|PLAYGROUND)_[A-Z_]*[A-Z]|RETENTION)\b"
)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_every_relative_link_leads_to_a_file(page: pathlib.Path) -> None:
    """Pages, pictures and folders that a page points to exist, as do the headings named in them."""
    for target, heading in LINK.findall(page.read_text("utf-8")):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} points to {target}"
        if heading:
            assert heading in _headings(file), f"{page.name} points to {target}#{heading}"


@each_page
def test_every_setting_that_a_page_names_exists(page: pathlib.Path) -> None:
    """Names of settings are those of the product or of the playground."""
    known = {name.upper() for name in Settings.model_fields}
    known |= {str(field.validation_alias) for field in Config.model_fields.values()}
    assert {name for name in SETTING.findall(page.read_text("utf-8")) if name not in known} == set()


@each_page
def test_every_make_target_that_a_page_names_exists(page: pathlib.Path) -> None:
    """`make <target>` in a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(named) <= targets


def test_the_settings_page_is_up_to_date() -> None:
    """After a change of the settings: `make docs`."""
    assert generate.PAGE.read_text("utf-8") == generate.page()


def test_the_errors_page_explains_every_error() -> None:
    """Each code that a person or a service can get, and no other."""
    section = _page("errors").partition("## A channel")[0]
    codes = {key.removeprefix("error.") for key in catalogue.keys("en") if key.startswith("error.")}
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == codes


def test_the_metrics_page_explains_every_metric() -> None:
    """Those counted from the database, and those that each process counts."""
    counted = re.findall(r'"(\w+)": \(', (ROOT / "db" / "stats.py").read_text("utf-8"))
    assert counted
    own = re.findall(r'"threadline_(\w+)"', (ROOT / "bot" / "metrics.py").read_text("utf-8"))
    told = {
        name.removesuffix("_total")
        for name in re.findall(r"^\| `threadline_(\w+)`", _page("metrics"), re.MULTILINE)
    }
    assert told == {*counted, *own}


@pytest.mark.parametrize("kind", [states.JobState, states.StepState, states.PostState])
def test_the_states_page_explains_every_state(
    kind: type[states.JobState | states.StepState | states.PostState],
) -> None:
    """Each state has its row."""
    assert {state.value for state in kind} <= set(re.findall(r"^\| `(\w+)`", _page("states"), re.MULTILINE))


def test_the_recipe_in_the_how_to_works(tmp_path: pathlib.Path) -> None:
    """The example is a recipe, and the table under it names every key."""
    text = (ROOT / "docs" / "how-to" / "recipes.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    file = tmp_path / "minutes.toml"
    file.write_text(example[1], "utf-8")
    assert recipe.read(file).name == "minutes"
    rows = " ".join(line.split("|")[1] for line in text.split("\n") if line.startswith("| `"))
    named = {word.strip("[]") for word in re.findall(r"`([^`]+)`", rows)}
    assert named >= set(recipe.Recipe.model_fields)


def test_the_units_in_the_how_to_start_what_the_procfile_does() -> None:
    """Each process, by nobody but the product's own user, with the settings of one file and from one folder."""
    page = (ROOT / "docs" / "how-to" / "deploy.md").read_text("utf-8")
    started = set()
    for unit in re.findall(r"```ini\n(.*?)```", page, re.DOTALL):
        read = configparser.ConfigParser(interpolation=None)
        read.optionxform = str  # type: ignore[assignment,method-assign]  # Its names have capitals.
        read.read_string(unit)
        service = read["Service"]
        assert (service["User"], service["EnvironmentFile"]) == ("threadline", "/etc/threadline.env")
        python, command = service["ExecStart"].split(" ", 1)
        assert python == f"{service['WorkingDirectory']}/.venv/bin/python"
        started |= {command.replace("%i", name) for name in ("prepare", "infer", "deliver", "beat")}
    procfile = (ROOT / "Procfile").read_text("utf-8")
    assert started == set(re.findall(r"^\w+: python (.+)$", procfile, re.MULTILINE))


def test_every_feature_names_a_test_that_is_there() -> None:
    """Each row of the table ends with one."""
    rows = re.findall(
        r"^\| (?!feature|---)(.+) \|$", (ROOT / "docs" / "features.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(rows) > 30
    for row in rows:
        found = re.search(r"`(tests/\w+/test_\w+\.py)::(test_\w+)`$", row)
        assert found, row
        file = ROOT / found[1]
        assert file.exists(), row
        assert re.search(rf"^def {found[2]}\(", file.read_text("utf-8"), re.MULTILINE), row


def test_every_decision_is_listed() -> None:
    """The list of decisions holds each of them."""
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text("utf-8")))
    assert listed == {file.name for file in folder.glob("0*.md")}


def _page(name: str) -> str:
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text("utf-8")


def _headings(file: pathlib.Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}
