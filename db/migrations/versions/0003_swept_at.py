"""when the last sweep was.

Only adds: code of the version before goes on working, and its sweeps leave no mark.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("backends") as backends:
        backends.add_column(sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True))
