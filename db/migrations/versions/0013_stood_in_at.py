"""when the last sweep was that nobody asked for.

Only adds: code of the version before goes on working, and sweeps beside whoever took the turn.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    with op.batch_alter_table("backends") as backends:
        backends.add_column(sa.Column("stood_in_at", sa.DateTime(timezone=True), nullable=True))
