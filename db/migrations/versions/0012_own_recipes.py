"""the recipe of a job, where owners made it.

Only adds: code of the version before goes on working; while both run, it knows such a recipe as little as any other name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("own_recipe", sa.JSON(none_as_null=True), nullable=True))
