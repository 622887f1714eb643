"""The one setting that the database layer reads: where the database is."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


class DatabaseSettings(BaseSettings):
    """Read from the environment and from `.env`; the environment wins."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: str = Field(
        default="sqlite:///.threadline/threadline.db",
        repr=False,
        description="Where the rows live: a SQLite file, or PostgreSQL for real use.",
    )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        # Platforms hand out postgres://, which SQLAlchemy no longer knows; psycopg 3 is the driver we install.
        for short in ("postgres://", "postgresql://"):
            if value.startswith(short):
                value = "postgresql+psycopg://" + value.removeprefix(short)
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            # What stands where a port should be quotes itself, and may be a password.
            raise ValueError("is not a database URL such as sqlite:///threadline.db") from None
        if url.drivername not in {"sqlite", "postgresql+psycopg"}:
            raise ValueError("must start with sqlite:// or postgresql://")
        if url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
            raise ValueError("must name a file: several processes share it, so it cannot live in memory")
        return value
