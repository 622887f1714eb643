"""Every setting, read once at start; `.env.example` lists the same ones and is checked against this class."""

import re
import sys
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import NoDecode

from db.settings import DatabaseSettings
from tasks import mailserver
from tasks.text.kind import Kind

_IN_THE_FILE = (
    "llm_url",
    "llm_model",
    "llm_api_key",
    "llm_limit",
    "llm_context",
    "llm_embeddings",
    "llm_vision",
)
"""What LINE_FILE says in place of a setting."""


def auto_or_number(value: object) -> object:
    """`value` as a limit of calls in flight; raises ValueError."""
    if value == "auto" or (type(value) is int and 1 <= value <= 1024):
        return value
    raise ValueError("must be auto or a whole number from 1 to 1024")


def base_url(value: str) -> str:
    """`value` as an OpenAI-compatible base URL, without a slash at its end; raises ValueError."""
    value = value.rstrip("/")
    if not (value.startswith(("https://", "http://")) and value.endswith("/v1")):
        raise ValueError("must be an address that ends in /v1, such as http://gpu:8000/v1")
    return value


class Settings(DatabaseSettings):
    """Durations are ISO 8601 (`PT30M`) or `HH:MM:SS`; secrets never show in a log or an error."""

    slack_bot_token: SecretStr = Field(
        default=SecretStr(""), description="The bot's token (`xoxb-`), from the app's Install page."
    )
    slack_signing_secret: SecretStr = Field(
        default=SecretStr(""), description="Proves that a request came from Slack; needed for events by HTTP."
    )
    slack_app_token: SecretStr = Field(
        default=SecretStr(""),
        description="An app-level token (`xapp-`); when set, events come by Socket Mode.",
    )
    slack_api_url: str = Field(
        default="https://slack.com/api/", description="Slack's Web API, or a stand-in's; ends in a slash."
    )
    slack_command: str = Field(
        default="/analyze", description="The slash command, as the Slack app declares it."
    )

    slack_alert_channel: str = Field(
        default="",
        description="The id of the channel where operators are told what is wrong, such as C0123456789; "
        "invite the bot there.",
    )
    alert_smtp_url: SecretStr = Field(
        default=SecretStr(""),
        description="A mail server that tells operators too: "
        "`smtp://user:password@host:587/?from=a@example.com&to=b@example.com,c@example.com`, "
        "or smtps:// for TLS from the start.",
    )

    llm_url: str = Field(
        default="",
        description="An OpenAI-compatible base URL that ends in /v1. Unset, `make run` brings a stand-in.",
    )
    llm_api_key: SecretStr = Field(
        default=SecretStr(""), description="Sent as a bearer token to the model server."
    )
    llm_model: str = Field(default="", description="The model's name as the server knows it.")
    llm_limit: Literal["auto"] | int = Field(
        default="auto",
        description="The most calls in flight at the model server, by all workers together: "
        "auto learns it, or a number from 1 to 1024.",
    )
    llm_context: int = Field(
        default=8192,
        ge=1024,
        description="The model's context window in tokens; longer texts are cut into parts.",
    )
    llm_embeddings: str = Field(
        default="",
        description="The model behind the server's /embeddings, by which passages of long texts are found; "
        "unset: the built-in way.",
    )
    llm_vision: bool = Field(
        default=False,
        description="true: the model sees pictures. They go to the server as they are; else their text is recognised.",
    )
    line_file: str = Field(
        default="",
        description="A TOML file that lists several model servers and the fairness of the line; "
        "it takes the place of LLM_URL, LLM_MODEL, LLM_API_KEY, LLM_LIMIT, LLM_CONTEXT, "
        "LLM_EMBEDDINGS and LLM_VISION.",
    )
    llm_connect_timeout: timedelta = Field(
        default=timedelta(seconds=5), description="Until the server accepts a connection."
    )
    llm_stall_timeout: timedelta = Field(
        default=timedelta(seconds=60), description="The longest silence in the middle of an answer."
    )
    llm_first_timeout: timedelta = Field(
        default=timedelta(minutes=5), description="The longest wait for an answer's first token."
    )
    llm_call_timeout: timedelta = Field(
        default=timedelta(minutes=10), description="The longest that one call may take."
    )

    broker_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis (`redis://`) or RabbitMQ (`amqp://`): carries the bells between processes.",
    )
    job_deadline: timedelta = Field(
        default=timedelta(hours=1), description="After this long an unanswered request fails and says so."
    )
    retention: timedelta = Field(
        default=timedelta(days=30),
        description="How long ended requests, with their texts and results, are kept.",
    )
    most_open: int = Field(
        default=20, ge=1, description="The most requests that one person may have open at once."
    )
    admins: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(),
        description="Who may cancel anybody's request and give the owners' orders: "
        "Slack user ids with commas between them.",
    )
    redaction: str = Field(
        default="all",
        description="Private values that are hidden from the model server: all, off, or some of "
        f"{', '.join(kind.lower() for kind in Kind)} with commas between them.",
    )
    redaction_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Secrets that hidden values are encrypted with until the answer is shown, with commas between "
        "them: the first encrypts, all decrypt. Unset, a key is made of `SLACK_BOT_TOKEN`.",
    )
    prepare_concurrency: int = Field(
        default=2, ge=1, description="Processes that prepare text, per `prepare` worker."
    )
    infer_concurrency: int = Field(
        default=16, ge=1, description="Threads that hold model calls, per `infer` worker."
    )
    deliver_concurrency: int = Field(
        default=8, ge=1, description="Threads that post to Slack, per `deliver` worker."
    )

    api_tokens: Annotated[dict[str, SecretStr], NoDecode] = Field(
        default_factory=dict,
        description="Who may use the HTTP API: `name:token` pairs with commas between them.",
    )
    host: str = Field(default="127.0.0.1", description="The address that `web` binds to.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port that `web` binds to.")
    language: str = Field(
        default="en",
        pattern="^(en|ko)$",
        description="For operators, and for people whose language Slack does not tell: en or ko.",
    )
    log_format: str = Field(
        default="columns", pattern="^(columns|json)$", description="columns for people, json for machines."
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR."
    )

    @field_validator("slack_api_url")
    @classmethod
    def _ends_in_slash(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// (or http:// for a stand-in)")
        return value if value.endswith("/") else value + "/"

    @field_validator("slack_alert_channel")
    @classmethod
    def _channel_id(cls, value: str) -> str:
        if value and not re.fullmatch("[CG][A-Z0-9]+", value):
            raise ValueError("must be a channel's id such as C0123456789 (in Slack: the channel's details)")
        return value

    @field_validator("alert_smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            mailserver.parse(value.get_secret_value())
        return value

    @field_validator("llm_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return base_url(value) if value else value

    @field_validator("llm_limit", mode="before")
    @classmethod
    def _auto_or_number(cls, value: object) -> object:
        if isinstance(value, str) and re.fullmatch("[0-9]{1,4}", value.strip()):
            value = int(value)
        return auto_or_number(value)

    @field_validator("admins", mode="before")
    @classmethod
    def _user_ids(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        ids = frozenset(word.strip() for word in value.split(",") if word.strip())
        if not all(re.fullmatch("[UW][A-Z0-9]+", word) for word in ids):
            raise ValueError("must be Slack user ids such as U0ADA, with commas between them")
        return ids

    @field_validator("redaction")
    @classmethod
    def _known_kinds(cls, value: str) -> str:
        value = value.strip().lower()
        words = [word.strip().upper() for word in value.split(",")]
        if value not in {"all", "off"} and not all(word in set(Kind) for word in words):
            raise ValueError(f"must be all, off, or some of {', '.join(kind.lower() for kind in Kind)}")
        return value

    @field_validator("redaction_keys")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        keys = [key.strip() for key in value.get_secret_value().split(",")]
        if keys != [""] and any(len(key) < 16 for key in keys):
            raise ValueError("must be secrets of 16 characters or more, with commas between them")
        return value

    @field_validator("api_tokens", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [pair.strip().partition(":") for pair in value.split(",") if pair.strip()]
        # 50: a name stands in a job's source_key, beside an Idempotency-Key of up to 200 characters.
        if any(not 1 <= len(name) <= 50 or len(token) < 16 for name, _, token in pairs):
            raise ValueError(
                "must be name:token pairs with commas between them, each name 50 characters at most, "
                "each token 16 characters or longer"
            )
        if len({name for name, _, _ in pairs}) < len(pairs):
            raise ValueError("names somebody twice")
        return {name: token for name, _, token in pairs}

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(
            ("redis://", "rediss://", "redis+socket://", "amqp://", "amqps://")
        ):
            raise ValueError("must start with redis:// or amqp://")
        return value

    @property
    def hidden_kinds(self) -> frozenset[Kind]:
        """What `redaction` says."""
        if self.redaction in {"all", "off"}:
            return frozenset(Kind) if self.redaction == "all" else frozenset()
        return frozenset(Kind(word.strip().upper()) for word in self.redaction.split(","))


WHERE = "Settings come from the environment and from .env in this folder; .env.example lists them."


def load(*needed: str) -> Settings:
    """The settings from the environment; with any of `needed` unset, or a bad one, say so and exit with 2."""
    try:
        settings = Settings()
    except ValidationError as error:
        complaints = [f"{_name(problem['loc'])} {_reason(problem)}." for problem in error.errors()]
    else:
        complaints = [*_missing(settings, needed), *_said_twice(settings)]
        if not complaints:
            return settings
    sys.stderr.write("\n".join([*complaints, "See .env.example for what each setting means.", ""]))
    raise SystemExit(2)


def _missing(settings: Settings, needed: tuple[str, ...]) -> list[str]:
    elsewhere = _IN_THE_FILE if settings.line_file else ()
    return [
        f"{name.upper()} is not set."
        for name in needed
        if name not in elsewhere and not _is_set(getattr(settings, name))
    ]


def _said_twice(settings: Settings) -> list[str]:
    twice = [name.upper() for name in _IN_THE_FILE if name in settings.model_fields_set]
    if settings.line_file and twice:
        return [f"LINE_FILE cannot be set together with {', '.join(twice)}."]
    return []


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "The settings"


def _reason(problem: object) -> str:
    assert isinstance(problem, dict)
    words = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "time_delta_parsing":
        return "must be a duration such as PT30S, PT10M, P30D or 00:30:00"
    if problem["type"] == "string_pattern_mismatch":
        *others, last = problem["ctx"]["pattern"].strip("^()$").split("|")
        return f"must be {', '.join(others)} or {last}"
    return words if problem["type"] == "value_error" else f"is not valid: {words[0].lower()}{words[1:]}"


def _is_set(value: object) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)
