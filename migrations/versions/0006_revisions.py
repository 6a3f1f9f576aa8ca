"""When an execution changed its target, whatever became of it, and where a rollback leads."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHANGED = sa.text("changed IS NOT NULL")
SUCCEEDED = sa.text("state = 'succeeded'")
# What is known of executions from before: that they succeeded, or what they had changed.
FILL = """
UPDATE executions SET changed = coalesce(finished, created)
WHERE state = 'succeeded' OR CAST(changes AS TEXT) NOT IN ('[]', 'null')
"""


def upgrade() -> None:
    op.add_column("executions", sa.Column("changed", sa.BigInteger()))
    op.add_column("executions", sa.Column("back_to", sa.JSON()))
    op.execute(FILL)
    op.drop_index("ix_executions_receiver_revisions", "executions")
    for owner in ("receiver", "slot"):
        op.create_index(
            f"ix_executions_{owner}_changed",
            "executions",
            [owner, "changed"],
            sqlite_where=CHANGED,
            postgresql_where=CHANGED,
        )


def downgrade() -> None:
    for owner in ("receiver", "slot"):
        op.drop_index(f"ix_executions_{owner}_changed", "executions")
    op.create_index(
        "ix_executions_receiver_revisions",
        "executions",
        ["receiver", "finished"],
        sqlite_where=SUCCEEDED,
        postgresql_where=SUCCEEDED,
    )
    op.drop_column("executions", "back_to")
    op.drop_column("executions", "changed")
