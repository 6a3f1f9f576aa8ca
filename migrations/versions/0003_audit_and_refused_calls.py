"""The audit, and calls that were refused."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REFUSED = sa.text("state = 'refused'")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("receiver", sa.String(length=40), nullable=True),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("via", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_project_id", "audit", ["project", "id"])
    op.create_index("ix_audit_receiver_id", "audit", ["receiver", "id"])

    op.add_column("deliveries", sa.Column("refusal", sa.JSON(), nullable=True))
    # Elsewhere it comes after the migrations, beside hosts that write (store/unlocked_indexes.py).
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_deliveries_refused", "deliveries", ["receiver", "seq"], sqlite_where=REFUSED
        )


def downgrade() -> None:
    op.execute("DELETE FROM deliveries WHERE state = 'refused'")
    op.drop_index("ix_deliveries_refused", "deliveries", if_exists=True)
    op.drop_column("deliveries", "refusal")
    op.drop_table("audit")
