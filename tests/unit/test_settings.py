"""Settings: one sentence for each that is wrong, secrets that never show, and an example that is complete."""

import pathlib
import re
from datetime import timedelta

import pytest
from pydantic import SecretStr, ValidationError

from db.settings import DatabaseSettings
from tasks import settings
from tasks.settings import Settings, load
from tasks.text.kind import Kind
from tests import fakes

EXAMPLE = pathlib.Path(settings.__file__).parents[1] / ".env.example"
SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def refused(capsys, *needed: str) -> list[str]:
    """The lines with which a start is refused."""
    with pytest.raises(SystemExit) as stopped:
        load(*needed)
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "See .env.example for what each setting means."
    return lines[:-1]


def test_nothing_has_to_be_set_unless_it_is_needed(capsys):
    assert load().llm_limit == "auto"
    assert refused(capsys, "slack_bot_token", "llm_url", "port") == [
        "SLACK_BOT_TOKEN is not set.",
        "LLM_URL is not set.",
    ]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        *(
            ("LLM_LIMIT", value, "LLM_LIMIT must be auto or a whole number from 1 to 1024.")
            for value in ("0", "-1", "1025", "4.0", "many", "9" * 5000)
        ),
        ("ADMINS", "U0ADA,ada", "ADMINS must be Slack user ids such as U0ADA, with commas between them."),
        ("MOST_OPEN", "0", "MOST_OPEN is not valid: input should be greater than or equal to 1."),
        (
            "LLM_URL",
            "http://gpu:8000",
            "LLM_URL must be an address that ends in /v1, such as http://gpu:8000/v1.",
        ),
        ("LLM_CONTEXT", "10", "LLM_CONTEXT is not valid: input should be greater than or equal to 1024."),
        ("SLACK_API_URL", "slack.com", "SLACK_API_URL must start with https:// (or http:// for a stand-in)."),
        ("BROKER_URL", "kafka://u:hunter2@h", "BROKER_URL must start with redis:// or amqp://."),
        ("DATABASE_URL", "mysql://u:hunter2@h/d", "DATABASE_URL must start with sqlite:// or postgresql://."),
        ("DATABASE_URL", "sqlite://", "DATABASE_URL must name a file"),
        ("REDACTION", "phone, names", "REDACTION must be all, off, or some of resident, ssn, phone"),
        ("REDACTION_KEYS", "a-secret-of-16-characters,hunter2", "REDACTION_KEYS must be secrets of 16"),
        ("API_TOKENS", "short:hunter2", "API_TOKENS must be name:token pairs"),
        ("API_TOKENS", "a:hunter2hunter2hunter2,a:hunter2hunter2hunter2", "API_TOKENS names somebody twice."),
        (
            "SLACK_ALERT_CHANNEL",
            "#operators",
            "SLACK_ALERT_CHANNEL must be a channel's id such as C0123456789 (in Slack: the channel's details).",
        ),
        *(
            ("ALERT_SMTP_URL", value, f"ALERT_SMTP_URL must {says}")
            for value, says in (
                ("http://u:hunter2@h/?from=a@b&to=c@d", "start with smtp:// or smtps:// and name a host."),
                ("smtp://u:hunter2@:x/", "start with smtp:// or smtps:// and name a host."),
                ("smtp://u:hunter2@h/?to=c@d", "end in ?from=..&to=.. with mail addresses"),
                ("smtp://u:hunter2@h/?from=a@b&to=c@d,e", "end in ?from=..&to=.. with mail addresses"),
                ("smtp://u:hunter2@h/?from=a@b&to=c@d%0d%0aX:", "end in ?from=..&to=.. with mail addresses"),
                ("smtp://u:hunter2%C3%A9@h/?from=a@b&to=c@d", "have a user and a password of ASCII"),
            )
        ),
        ("DATABASE_URL", "postgresql://u@h:hunter2/d", "DATABASE_URL is not a database URL such as"),
        ("JOB_DEADLINE", "soon", "JOB_DEADLINE must be a duration such as PT30S, PT10M, P30D or 00:30:00."),
        ("PORT", "70000", "PORT is not valid:"),
        ("LANGUAGE", "de", "LANGUAGE must be en or ko."),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be columns or json."),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR."),
    ],
)
def test_a_wrong_setting_is_one_sentence_without_its_value(monkeypatch, capsys, name, value, says):
    monkeypatch.setenv(name, value)
    [line] = refused(capsys)
    assert line.startswith(says)
    assert line.endswith(".")
    assert "hunter2" not in line


def test_every_wrong_setting_is_named_at_once(monkeypatch, capsys):
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("LLM_LIMIT", "0")
    assert {line.split()[0] for line in refused(capsys)} == {"PORT", "LLM_LIMIT"}


def test_secrets_never_show(monkeypatch, capsys):
    for name in SECRETS:
        addresses = {
            "broker_url": "redis://:hunter2@h",
            "alert_smtp_url": "smtp://u:hunter2@h?from=a@h&to=b@h",
        }
        monkeypatch.setenv(name.upper(), addresses.get(name, "hunter2"))
    monkeypatch.setenv("API_TOKENS", "service:hunter2hunter2hunter2")
    monkeypatch.setenv("REDACTION_KEYS", "hunter2hunter2hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgres://u:hunter2@h/d")
    loaded = load()
    for shown in (repr(loaded), str(loaded)):
        assert "hunter2" not in shown
    assert loaded.api_tokens["service"].get_secret_value() == "hunter2hunter2hunter2"
    monkeypatch.setenv("PORT", "x")
    with pytest.raises(ValidationError) as error:
        Settings()
    assert "hunter2" not in str(error.value)
    assert "hunter2" not in "".join(refused(capsys))


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        fakes.settings().port = 1


def test_the_environment_wins_over_the_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("PORT=1234\nHOST=0.0.0.0\nUNKNOWN=1\n")
    monkeypatch.setenv("PORT", "4321")
    assert (load().port, load().host) == (4321, "0.0.0.0")


def test_an_empty_value_is_no_value(monkeypatch):
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("API_TOKENS", "")
    assert (load().port, load().api_tokens) == (8000, {})


def test_a_line_file_takes_the_place_of_the_one_servers_settings(monkeypatch, capsys):
    monkeypatch.setenv("LINE_FILE", "line.toml")
    monkeypatch.setenv("LLM_MODEL", "")
    monkeypatch.setenv("LLM_CALL_TIMEOUT", "PT1M")
    assert load("llm_url", "llm_model").line_file == "line.toml"
    assert refused(capsys, "llm_url", "slack_bot_token") == ["SLACK_BOT_TOKEN is not set."]


def test_a_line_file_and_the_one_servers_settings_are_not_both_set(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("LINE_FILE", "line.toml")
    monkeypatch.setenv("LLM_URL", "http://gpu:8000/v1")
    monkeypatch.setenv("LLM_API_KEY", "hunter2")
    # Even a default is said twice when somebody says it.
    (tmp_path / ".env").write_text("LLM_LIMIT=auto\nLLM_CONTEXT=\n")
    assert refused(capsys) == ["LINE_FILE cannot be set together with LLM_URL, LLM_API_KEY, LLM_LIMIT."]


@pytest.mark.parametrize("short", ["postgres://", "postgresql://", "postgresql+psycopg://"])
def test_addresses_as_platforms_hand_them_out_are_understood(monkeypatch, short):
    monkeypatch.setenv("DATABASE_URL", f"{short}u:p@h/d")
    assert DatabaseSettings().database_url == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("LLM_URL", "http://gpu:8000/v1/", "http://gpu:8000/v1"),
        ("SLACK_API_URL", "https://slack.com/api", "https://slack.com/api/"),
        ("JOB_DEADLINE", "PT30M", timedelta(minutes=30)),
        ("RETENTION", "P7D", timedelta(days=7)),
        ("LLM_STALL_TIMEOUT", "00:00:20", timedelta(seconds=20)),
        ("LLM_LIMIT", "auto", "auto"),
        ("LLM_LIMIT", " 1024 ", 1024),
        ("ADMINS", "U0ADA, W1,", {"U0ADA", "W1"}),
    ],
)
def test_values_are_read_as_people_write_them(monkeypatch, name, value, read):
    monkeypatch.setenv(name, value)
    assert getattr(load(), name.lower()) == read


# .env.example


def entries() -> list[tuple[str, str, str]]:
    """Each setting of the example: its name, its default, and the comment before it."""
    return [
        (name, value, " ".join(line.removeprefix("# ") for line in comment.splitlines()))
        for comment, name, value in re.findall(
            r"((?:^# .*\n)+)#([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE
        )
    ]


def test_the_example_lists_every_setting_with_what_it_means():
    listed = {name.lower(): comment for name, _, comment in entries()}
    assert listed == {name: field.description for name, field in Settings.model_fields.items()}
    assert len(entries()) == len(listed)


def test_the_examples_values_are_the_defaults(monkeypatch):
    defaults = Settings()
    for name, value, _ in entries():
        monkeypatch.setenv(name, value)
    assert Settings() == defaults
    assert all(
        value
        for name, value, _ in entries()
        if getattr(defaults, name.lower()) not in ("", {}, set(), SecretStr(""))
    )


def test_copying_the_example_sets_nothing(tmp_path):
    lines = EXAMPLE.read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


@pytest.mark.parametrize(
    ("given", "kinds"),
    [("all", set(Kind)), ("off", set()), (" phone, Email", {Kind.PHONE, Kind.EMAIL})],
)
def test_the_kinds_of_values_that_are_hidden(given, kinds):
    assert fakes.settings(redaction=given).hidden_kinds == kinds
