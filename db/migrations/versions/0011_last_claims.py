"""an index of the few waiting steps whose worker died: what the sweep looks for beside a backlog of any length.

Only adds: code of the version before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_DIED = sa.text("state = 'waiting' AND claims > 0")


def upgrade() -> None:
    op.create_index("steps_died", "steps", ["claims"], postgresql_where=_DIED, sqlite_where=_DIED)
