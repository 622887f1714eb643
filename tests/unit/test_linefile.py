"""The line's file: what it may say, every mistake with its line, and the LLM_* settings in its place."""

import pathlib
import re
import tomllib

import pytest

from tasks import linefile, recipes
from tasks.linefile import BadLine, Line, Rank, Server
from tests import fakes

EXAMPLE = pathlib.Path(linefile.__file__).parents[1] / "docs" / "how-to" / "line.example.toml"
RECIPES = ["ask", "summarize"]
GOOD = """\
[[backends]]
name = "gpu"
url = "http://gpu:8000/v1/"
model = "qwen3"
api_key = "$GPU_KEY"
limit = 8
context = 4096
recipes = ["summarize"]

[[backends]]   # for all else
name = "spare"
url = "http://spare:8000/v1"
model = "llama"

[tokens]
output = 3

[people.U0ADA]
weight = 2
priority = "urgent"

[people."nightly report"]
priority = "batch"
"""


@pytest.fixture
def load(tmp_path):
    """`linefile.load` of a file with this text, and the file."""
    file = tmp_path / "line.toml"

    def load(text: str | bytes, **environment: str) -> Line:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return linefile.load(fakes.settings(line_file=str(file)), RECIPES, environment)

    return load


@pytest.fixture
def refused(load, tmp_path):
    """The mistakes in a file with this text: (line, sentence) each."""

    def refused(text: str | bytes, **environment: str) -> list[tuple[int, str]]:
        with pytest.raises(BadLine) as caught:
            load(text, **environment)
        assert str(caught.value) == "\n".join(caught.value.errors)
        found = []
        for error in caught.value.errors:
            file, line, says = error.split(":", 2)
            assert file == str(tmp_path / "line.toml")
            assert says.endswith(".")
            found.append((int(line), says.removeprefix(" ")))
        return found

    return refused


def test_everything_that_a_file_says(load):
    line = load(GOOD, GPU_KEY="hunter2")
    assert line.servers == (
        Server("gpu", "http://gpu:8000/v1", "hunter2", "qwen3", 8, 4096, frozenset({"summarize"})),
        Server("spare", "http://spare:8000/v1", "", "llama", None, 8192, None),
    )
    assert (line.input_weight, line.output_weight) == (1.0, 3.0)
    assert line.people == {"U0ADA": Rank(2.0, 0), "nightly report": Rank(1.0, 2)}
    assert "hunter2" not in repr(line)


def test_questions_to_a_line(load):
    line = load(GOOD, GPU_KEY="x")
    gpu, spare = line.servers
    assert (line.server("spare"), line.server("other")) == (spare, None)
    assert (line.serving("summarize"), line.serving("ask")) == ([gpu, spare], [spare])
    assert (line.rank("U0ADA"), line.rank("U0BEN")) == (Rank(2.0, 0), Rank(1.0, 1))


def test_without_a_file_the_settings_describe_the_one_server():
    settings = fakes.settings(llm_api_key="hunter2", llm_context=2048)
    assert linefile.load(settings, RECIPES) == Line(
        (Server(linefile.MAIN, "http://model.test/v1", "hunter2", "m", None, 2048, None),), 1.0, 2.0, {}
    )
    assert linefile.load(fakes.settings(llm_limit="7"), RECIPES).servers[0].limit == 7


def test_without_tokens_and_people_the_defaults_hold(load):
    line = load(GOOD.partition("[tokens]")[0], GPU_KEY="x")
    assert (line.input_weight, line.output_weight, line.people) == (1.0, 2.0, {})


def test_a_server_that_sees_says_so(load):
    seeing = load(GOOD.replace('"llama"', '"llama"\nvision = true'), GPU_KEY="x")
    assert [server.vision for server in seeing.servers] == [False, True]
    assert linefile.load(fakes.settings(llm_vision=True), RECIPES).servers[0].vision


def test_a_key_may_stand_in_the_file_itself(load):
    assert load(GOOD.replace("$GPU_KEY", "sk-1")).servers[0].api_key == "sk-1"


def test_a_key_is_read_from_the_environment_then_from_the_env_file(load, tmp_path, monkeypatch):
    load(GOOD, GPU_KEY="x")
    settings = fakes.settings(line_file=str(tmp_path / "line.toml"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GPU_KEY", "")
    (tmp_path / ".env").write_text("GPU_KEY=from the file\n")
    assert linefile.load(settings, RECIPES).servers[0].api_key == "from the file"
    monkeypatch.setenv("GPU_KEY", "from the environment")
    assert linefile.load(settings, RECIPES).servers[0].api_key == "from the environment"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        # The TOML itself.
        ("limit = 8", "limit = ", 6, "this is not TOML: Invalid value."),
        ('"urgent"', '"urgent', 20, "this is not TOML: "),
        ("limit = 8", "limit = 8\nlimit = 9", 7, "this is not TOML: Cannot overwrite a value."),
        ("output = 3", "output = 3\n[people.U0ADA]\n", 20, "this is not TOML: Cannot declare"),
        # Keys: unknown and missing ones.
        ("[[backends]]", "foo = 1\n[[backends]]", 1, "`foo` is not a key of this file."),
        ("limit = 8", "limit = 8\nlimits = 9", 7, "`backends.limits` is not a key of this file."),
        ("[tokens]", "[backends.extra]\nx = 1\n[tokens]", 15, "`backends.extra` is not a key of this file."),
        ("[tokens]", "[[servers]]\nx = 1\n[tokens]", 15, "`servers` is not a key of this file."),
        ("output = 3", "out = 3", 16, "`tokens.out` is not a key of this file."),
        ("weight = 2", "share = 2", 19, "`people.U0ADA.share` is not a key of this file."),
        ('"llama"', '"llama"\npriority = 1', 14, "`backends.priority` is not a key of this file."),
        ('name = "gpu"\n', "", 1, "`backends.name` is missing."),
        ('url = "http://spare:8000/v1"\n', "", 10, "`backends.url` is missing."),
        ('model = "llama"\n', "", 10, "`backends.model` is missing."),
        # Values.
        ('"gpu"', '"GPU"', 2, "`backends.name` is wrong: string should match pattern"),
        ('"gpu"', f'"{"g" * 33}"', 2, "`backends.name` is wrong: string should match pattern"),
        ('"gpu"', "7", 2, "`backends.name` is wrong: input should be a valid string."),
        ('"gpu"', '"spare"', 11, "`backends.name` is 'spare' a second time."),
        (":8000/v1/", ":8000", 3, "`backends.url` must be an address that ends in /v1, such as http"),
        ("http://gpu:8000/v1/", "", 3, "`backends.url` must be an address that ends in /v1, such as http"),
        ('"llama"', '""', 13, "`backends.model` is wrong: string should have at least 1 character."),
        ("$GPU_KEY", "$NOT_SET", 5, "`backends.api_key` takes NOT_SET from the environment, where it is not"),
        (
            "$GPU_KEY",
            "$EMPTY",
            5,
            "`backends.api_key` takes EMPTY from the environment, where it is not set.",
        ),
        ("$GPU_KEY", "${GPU_KEY}", 5, "`backends.api_key` must be a key, or $NAME to take it from the env"),
        ("$GPU_KEY", "$", 5, "`backends.api_key` must be a key, or $NAME to take it from the environment."),
        *(
            ("= 8", f"= {limit}", 6, "`backends.limit` must be auto or a whole number from 1 to 1024.")
            for limit in ("0", "-1", "1025", "4.0", "true", '"8"', '"many"')
        ),
        ("4096", "1023", 7, "`backends.context` is wrong: input should be greater than or equal to 1024."),
        ("4096", "4096.0", 7, "`backends.context` is wrong: input should be a valid integer."),
        ("4096", '"8k"', 7, "`backends.context` is wrong: input should be a valid integer."),
        ('["summarize"]', '"summarize"', 8, "`backends.recipes` is wrong: input should be a valid list."),
        ('["summarize"]', "[1]", 8, "`backends.recipes` is wrong: input should be a valid string."),
        ('["summarize"]', "[]", 8, "`backends.recipes` is wrong: list should have at least 1 item"),
        ('["summarize"]', '["요약"]', 8, "`backends.recipes` names '요약'; the recipes are ask, summarize."),
        ('["summarize"]', '["ask", "ask"]', 8, "`backends.recipes` names 'ask' twice."),
        ("output = 3", "output = 0", 16, "`tokens.output` is wrong: input should be greater than 0."),
        ("output = 3", "output = nan", 16, "`tokens.output` is wrong: input should be "),
        ("output = 3", 'input = "1"', 16, "`tokens.input` is wrong: input should be a valid number."),
        ("weight = 2", "weight = 0", 19, "`people.U0ADA.weight` is wrong: input should be greater than 0."),
        ("weight = 2", "weight = 100.5", 19, "`people.U0ADA.weight` is wrong: input should be less than or"),
        ("weight = 2", "weight = inf", 19, "`people.U0ADA.weight` is wrong: input should be less than or"),
        (
            "weight = 2",
            "weight = true",
            19,
            "`people.U0ADA.weight` is wrong: input should be a valid number.",
        ),
        ('"urgent"', '"high"', 20, "`people.U0ADA.priority` is wrong: input should be 'urgent', 'normal' or"),
        (
            '"batch"',
            "2",
            23,
            "`people.nightly report.priority` is wrong: input should be 'urgent', 'normal' or",
        ),
        (
            "[people.U0ADA]\n",
            "[people]\nU0ADA = 2\n",
            19,
            "`people.U0ADA` is wrong: input should be a table.",
        ),
        # All of it together.
        ('"llama"', '"llama"\nrecipes = ["summarize"]', 1, "no backend serves the recipe 'ask'."),
    ],
)
def test_each_mistake_is_told_with_its_line(refused, old, new, line, says):
    assert old in GOOD
    [(found, sentence), *others] = refused(GOOD.replace(old, new, 1), GPU_KEY="hunter2", EMPTY="")
    assert (found, sentence[: len(says)]) == (line, says)
    assert not others or "[people]" in new
    assert "hunter2" not in sentence


def test_people_in_other_words_of_toml(refused):
    backend = '[[backends]]\nname = "gpu"\nurl = "http://gpu/v1"\nmodel = "m"\n'
    inline = backend + '[people]\nU0ADA = { weight = 1 }\nU0BEN = { weight = 0 }\nU0CYD.priority = "low"\n'
    assert [line for line, _ in refused(inline)] == [7, 8]
    assert [line for line, _ in refused("people.U0ADA.weight = 0\n" + backend)] == [1]
    assert [line for line, _ in refused(backend + "[people . 'U0ADA']\nweight = 0\n")] == [6]


def test_no_backend_at_all(refused):
    assert refused("[tokens]\ninput = 1\n") == [(2, "`backends` is missing.")]
    assert refused("backends = []\n")[0][1].startswith("`backends` is wrong: list should have at least 1")
    assert refused("backends = 1\n") == [(1, "`backends` is wrong: input should be a valid list.")]
    assert refused("backends = [1]\n") == [(1, "`backends` is wrong: input should be a table.")]
    assert refused("") == [(1, "`backends` is missing.")]


def test_all_mistakes_are_told_at_once_in_order(refused):
    broken = (
        GOOD.replace('"gpu"', '"spare"').replace("limit = 8", "limit = 0").replace("weight = 2", "wait = 2")
    )
    assert [line for line, _ in refused(broken.replace("output", "put"))] == [5, 6, 11, 16, 19]


def test_a_file_that_is_not_there_or_no_text(refused, tmp_path):
    assert refused(b"\n\xff") == [(2, "this is not UTF-8 text.")]
    with pytest.raises(BadLine) as caught:
        linefile.load(fakes.settings(line_file=str(tmp_path / "other.toml")), RECIPES)
    assert caught.value.errors == [f"{tmp_path}/other.toml:1: it cannot be read: No such file or directory."]


def test_the_example_is_right():
    names = recipes.load().names()
    line = linefile.load(fakes.settings(line_file=str(EXAMPLE)), names, {"GPU_KEY": "x"})
    assert [server.name for server in line.serving("summarize")] == ["gpu", "small"]
    assert [server.name for server in line.serving("ask")] == ["gpu"]
    assert {name: line.rank(name) for name in line.people} == {
        "U0ADA": Rank(1.0, 0),
        "U0BEN": Rank(2.0, 1),
        "nightly": Rank(1.0, 2),
    }


def test_the_how_to_shows_the_example_and_names_every_key():
    text = (EXAMPLE.parent / "several-model-servers.md").read_text("utf-8")
    shown = text.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(shown) == tomllib.loads(EXAMPLE.read_text("utf-8"))
    rows = " ".join(line.split("|")[1] for line in text.split("\n") if line.startswith("| `"))
    keys = {
        key for table in (linefile._Backend, linefile._Tokens, linefile._Person) for key in table.model_fields
    }
    assert keys <= set(re.findall(r"`(\w+)`", rows))
