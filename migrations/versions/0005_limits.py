"""What calls store in a day, and which executions of a project are open."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LIVE = sa.text("revoked IS NULL")
OPEN = sa.text("state IN ('queued', 'held', 'retrying', 'waiting')")


def upgrade() -> None:
    op.create_table(
        "stored_bytes",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("owner", sa.String(length=300), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "owner", name="pk_stored_bytes"),
    )
    # Elsewhere it comes after the migrations, beside hosts that write (store/unlocked_indexes.py).
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_executions_open", "executions", ["project"], sqlite_where=OPEN)
    op.create_index(
        "ix_tokens_live", "tokens", ["project"], sqlite_where=LIVE, postgresql_where=LIVE
    )


def downgrade() -> None:
    op.drop_index("ix_tokens_live", "tokens")
    op.drop_index("ix_executions_open", "executions", if_exists=True)
    op.drop_table("stored_bytes")
