"""what else is asked in a thread, by an index.

Only adds: code of the version before goes on working.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.create_index("jobs_by_thread", ["channel", "thread_ts"])
