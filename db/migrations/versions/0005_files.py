"""files of requests, and what was understood of them.

Only adds: code of the version before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("job_id", sa.String(length=16), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="uploads_job", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "ordinal", name="uploads_place_unique"),
    )
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("files", sa.JSON(), server_default="[]", nullable=False))
        jobs.add_column(sa.Column("understood", sa.JSON(none_as_null=True), nullable=True))
