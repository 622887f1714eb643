"""the values behind placeholders, encrypted.

Only adds: code of the version before goes on working, and shows placeholders in what the new one prepared.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("originals", sa.Text()))
