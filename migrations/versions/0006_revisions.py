"""When an execution changed its target, whatever became of it, and where a rollback leads."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHANGED = sa.text("changed IS NOT NULL")
SUCCEEDED = sa.text("state = 'succeeded'")


def upgrade() -> None:
    op.add_column("executions", sa.Column("changed", sa.BigInteger()))
    op.add_column("executions", sa.Column("back_to", sa.JSON()))
    op.drop_index("ix_executions_receiver_revisions", "executions")
    # Elsewhere they come after the migrations, beside hosts that write (store/unlocked_indexes.py).
    if op.get_bind().dialect.name == "sqlite":
        for owner in ("receiver", "slot"):
            op.create_index(
                f"ix_executions_{owner}_changed",
                "executions",
                [owner, "changed"],
                sqlite_where=CHANGED,
            )


def downgrade() -> None:
    for owner in ("receiver", "slot"):
        op.drop_index(f"ix_executions_{owner}_changed", "executions", if_exists=True)
    op.create_index(
        "ix_executions_receiver_revisions",
        "executions",
        ["receiver", "finished"],
        sqlite_where=SUCCEEDED,
        postgresql_where=SUCCEEDED,
    )
    op.drop_column("executions", "back_to")
    op.drop_column("executions", "changed")
