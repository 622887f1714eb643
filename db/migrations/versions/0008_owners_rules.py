"""owners' rules, what was changed by whom, paused backends, guests.

Only adds: code of the version before goes on working, and knows no rules.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rules",
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
    )
    op.create_table(
        "changes",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("backends") as backends:
        backends.add_column(sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
        backends.add_column(sa.Column("paused_words", sa.Text(), nullable=True))
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("is_guest", sa.Boolean(), nullable=True))
    with op.batch_alter_table("jobs") as jobs:
        jobs.create_index("jobs_by_channel", ["team", "channel", "created_at"])
