"""what else is asked in a thread, by an index; the language to answer in; what people chose, and what they think of answers.

Only adds: code of the version before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("language", sa.String(length=8), nullable=True))
        people.add_column(sa.Column("recipe", sa.String(length=64), nullable=True))
        people.add_column(sa.Column("mention", sa.Boolean(), server_default=sa.true(), nullable=False))
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("feedback", sa.Integer(), nullable=True))
        jobs.add_column(sa.Column("feedback_note", sa.Text(), nullable=True))
        jobs.add_column(sa.Column("answer_language", sa.String(length=8), nullable=True))
        jobs.create_index("jobs_by_thread", ["channel", "thread_ts"])
