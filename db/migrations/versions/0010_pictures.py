"""pictures that a step shows to a model that sees.

Only adds: code of the version before goes on working; while both run, it asks about such a step without its pictures.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("steps") as steps:
        steps.add_column(sa.Column("pictures", sa.JSON(none_as_null=True), nullable=True))
