"""Migrations make what the models say, on both databases, however often and by however many they are run."""

import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from db import __main__ as cli
from db import session
from db.models import Base
from tests.fakes import at_once


@pytest.fixture
def empty(database_url: str):
    engine = session.connect(database_url)
    yield engine
    engine.dispose()


def test_models_and_migrations_agree(engine: sa.Engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_and_indexes_bear_the_names_that_the_models_give_them(engine: sa.Engine):
    inspector = sa.inspect(engine)
    for table in Base.metadata.sorted_tables:
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= indexes
        unique = {one.name for one in table.constraints if isinstance(one, sa.UniqueConstraint)}
        assert {one["name"] for one in inspector.get_unique_constraints(table.name)} == unique
        keys = {key["name"] for key in inspector.get_foreign_keys(table.name)}
        assert keys == {key.name for key in table.foreign_key_constraints}


def test_finished_rows_stay_out_of_the_indexes_that_claims_use(engine: sa.Engine):
    dialect = f"{engine.dialect.name}_where"
    for table, name in (("steps", "steps_in_line"), ("posts", "posts_due")):
        [index] = [one for one in sa.inspect(engine).get_indexes(table) if one["name"] == name]
        assert "state" in str(index["dialect_options"][dialect])


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(database_url: str, empty: sa.Engine):
    cli.upgrade(database_url)
    with empty.begin() as connection:
        connection.execute(sa.text("INSERT INTO backends (name, \"limit\", failures) VALUES ('main', 4, 0)"))
    cli.upgrade(database_url)
    with empty.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM backends")) == 1


def test_several_upgrades_at_once_all_succeed(database_url: str, empty: sa.Engine):
    def upgrade(_: int) -> tuple[int, str]:
        # Alembic keeps its environment in module globals, and deploys are processes anyway.
        environment = {"DATABASE_URL": database_url, "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-m", "db", "upgrade"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    assert [code for code, _ in at_once(3, upgrade)] == [0, 0, 0]
    with empty.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM alembic_version")) == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:hunter2@h/d", "DATABASE_URL must start with sqlite:// or postgresql://."),
        ("sqlite://", "DATABASE_URL must name a file"),
        ("nonsense", "DATABASE_URL is not a database URL"),
    ],
)
def test_a_wrong_address_is_one_sentence_and_exit_code_2(monkeypatch, capsys, url, says):
    monkeypatch.setenv("DATABASE_URL", url)
    assert cli.main(["upgrade"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(says)
    assert len(error.splitlines()) == 1
    assert "hunter2" not in error


def test_a_database_that_does_not_answer_is_exit_code_1_without_its_password(monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "postgres://threadline:hunter2@127.0.0.1:1/threadline")
    assert cli.main(["upgrade"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("The database in DATABASE_URL cannot be used:")
    assert "hunter2" not in error
