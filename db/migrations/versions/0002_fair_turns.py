"""fair turns, learned limits, places in line.

Only adds: code of the version before goes on working. The steps that it puts in line have no turn; the sweep
gives them one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _where(condition: str) -> dict[str, sa.TextClause]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "turns",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("backend", sa.String(length=64), nullable=False),
        sa.Column("team", sa.String(length=64), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("service", sa.Double(), nullable=False),
        sa.Column("in_line", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["backend"], ["backends.name"], name="turns_backend"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("backend", "team", "requester", "priority", name="turns_person_unique"),
    )
    with op.batch_alter_table("turns") as turns:
        turns.create_index("turns_in_order", ["backend", "in_line", "priority", "service"])
    with op.batch_alter_table("backends") as backends:
        backends.add_column(sa.Column("learned", sa.JSON(none_as_null=True), nullable=True))
        backends.add_column(sa.Column("input_weight", sa.Double(), server_default="1", nullable=False))
        backends.add_column(sa.Column("output_weight", sa.Double(), server_default="2", nullable=False))
        backends.add_column(sa.Column("passed_over", sa.JSON(), server_default="{}", nullable=False))
    with op.batch_alter_table("jobs") as jobs:
        for name in ("ahead", "left_from", "left_to"):
            jobs.add_column(sa.Column(name, sa.Integer(), nullable=True))
        jobs.create_index(
            "jobs_open",
            ["team", "requester"],
            **_where("state IN ('received', 'preparing', 'waiting', 'running')"),
        )
    with op.batch_alter_table("steps") as steps:
        steps.add_column(sa.Column("turn_id", _BIG, nullable=True))
        steps.add_column(sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
        steps.add_column(sa.Column("in_flight", sa.Integer(), server_default="0", nullable=False))
        steps.add_column(sa.Column("charged", sa.Double(), server_default="0", nullable=False))
        steps.create_foreign_key("steps_turn", "turns", ["turn_id"], ["id"])
        steps.drop_index("steps_in_line")
        steps.create_index("steps_in_line", ["turn_id", "asked_at", "id"], **_where("state = 'waiting'"))
        steps.create_index("steps_in_flight", ["backend", "lease_until"], **_where("state = 'running'"))
        steps.create_index("steps_done", ["backend", "ended_at"], **_where("state = 'done'"))
