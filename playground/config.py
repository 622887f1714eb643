"""The playground's settings: one frozen class, read from the environment when it is built, never at import."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class Config(BaseSettings):
    """What the stand-ins expect and how fast their clocks run. Durations are seconds, for a test to shorten.

    The names in the environment are those of playground/README.md.
    """

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, populate_by_name=True, extra="ignore"
    )

    host: str = Field("127.0.0.1", validation_alias="PLAYGROUND_HOST")
    port: int = Field(8010, ge=1, le=65535, validation_alias="PLAYGROUND_PORT")
    request_url: str = Field("http://127.0.0.1:8000/slack/events", validation_alias="PLAYGROUND_REQUEST_URL")
    # These secrets guard nothing but a loopback stand-in; they stay out of repr all the same, because a person
    # may have real ones in the environment.
    signing_secret: str = Field(
        "playground-signing-secret", validation_alias="SLACK_SIGNING_SECRET", repr=False, min_length=1
    )
    bot_token: str = Field("xoxb-playground", validation_alias="SLACK_BOT_TOKEN", repr=False, min_length=1)
    app_token: str = Field("xapp-playground", validation_alias="SLACK_APP_TOKEN", repr=False, min_length=1)
    database_url: str | None = Field(None, validation_alias="DATABASE_URL", repr=False)
    # The app's own manifest says which commands, shortcuts, events and scopes Slack grants it.
    manifest: Path | None = Field(ROOT / "manifest.json", validation_alias="PLAYGROUND_MANIFEST")

    # Slack: an event, command or interaction must be acknowledged within 3 seconds.
    ack_seconds: float = Field(3.0, gt=0, validation_alias="PLAYGROUND_ACK_SECONDS")
    # Slack: an event is sent again at once, after 1 minute and after 5 minutes.
    event_retry_seconds: tuple[float, ...] = Field(
        (0.0, 60.0, 300.0), validation_alias="PLAYGROUND_EVENT_RETRY_SECONDS"
    )
    # Slack: a trigger_id opens a view for 3 seconds.
    trigger_seconds: float = Field(3.0, gt=0, validation_alias="PLAYGROUND_TRIGGER_SECONDS")
    # Slack: a response_url works five times within 30 minutes.
    hook_seconds: float = Field(1800.0, gt=0, validation_alias="PLAYGROUND_HOOK_SECONDS")
    # Slack ends a stream about 5 minutes after its start (python-slack-sdk#1859).
    stream_seconds: float = Field(300.0, gt=0, validation_alias="PLAYGROUND_STREAM_SECONDS")
    # How long a call hangs when a time-out is asked for without `seconds`.
    hang_seconds: float = Field(60.0, gt=0, validation_alias="PLAYGROUND_HANG_SECONDS")

    @property
    def url(self) -> str:
        """The playground's own address, without a slash at the end."""
        return f"http://{self.host}:{self.port}"
