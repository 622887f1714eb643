"""`python -m db upgrade`: bring the database to the schema of this code."""

import argparse
import os
import signal
import sys
from datetime import timedelta

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pydantic import ValidationError

from db import schema, session
from db.settings import DatabaseSettings


def config(engine: sa.Engine) -> Config:
    """Alembic's configuration, made in code: the migrations stand beside this file."""
    made = Config()
    made.set_main_option("script_location", str(schema.MIGRATIONS))
    made.attributes["engine"] = engine
    return made


def upgrade(url: str) -> None:
    """Apply every migration that the database lacks; safe to run twice, and by two processes at once."""
    # To copy a large table, or to index it, takes as long as it takes.
    engine = session.connect(url, pool_size=1, silence=timedelta(days=1))
    try:
        command.upgrade(config(engine), "head")
    finally:
        engine.dispose()


def _stay_for_honcho() -> None:
    """`honcho start` runs the release line beside the others, and ends them all when one ends."""
    if os.environ.get("HONCHO_PROCESS_NAME", "").startswith("release"):
        signal.pause()


def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit code is 0 when done, 1 when the database did not answer, 2 for a bad setting."""
    parser = argparse.ArgumentParser(
        prog="python -m db", description="Threadline's database, DATABASE_URL in the environment or in .env."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("upgrade", help="apply the migrations that DATABASE_URL lacks")
    draft = commands.add_parser("draft", help="write a new migration from the difference to the models")
    draft.add_argument("message")
    chosen = parser.parse_args(argv)
    try:
        url = DatabaseSettings().database_url
        if chosen.command == "upgrade":
            upgrade(url)
            _stay_for_honcho()
        else:
            command.revision(config(session.connect(url)), chosen.message, autogenerate=True)
    except ValidationError as error:
        for problem in error.errors():
            sys.stderr.write(f"DATABASE_URL {problem['msg'].removeprefix('Value error, ')}.\n")
        return 2
    except (sa.exc.OperationalError, OSError) as error:
        # The driver's own words, without the statement and without the address that may hold a password.
        reason = str(getattr(error, "orig", error)).strip()
        sys.stderr.write(f"The database in DATABASE_URL cannot be used: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
