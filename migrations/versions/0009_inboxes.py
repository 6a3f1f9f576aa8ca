"""Inboxes: one URL for many receivers."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("receivers", sa.Column("listen", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "inboxes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("verify", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inboxes"),
        sa.UniqueConstraint("project", "name", name="uq_inboxes_project_name"),
    )
    op.create_table(
        "inbox_keys",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("inbox", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_inbox_keys"),
        sa.ForeignKeyConstraint(
            ["inbox"], ["inboxes.id"], name="fk_inbox_keys_inbox", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_inbox_keys_inbox", "inbox_keys", ["inbox"])
    expiring = sa.text("expires IS NOT NULL")
    op.create_index(
        "ix_inbox_keys_expires",
        "inbox_keys",
        ["expires"],
        sqlite_where=expiring,
        postgresql_where=expiring,
    )
    op.create_table(
        "listeners",
        sa.Column("inbox", sa.String(length=40), nullable=False),
        sa.Column("receiver", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("inbox", "receiver", name="pk_listeners"),
        sa.ForeignKeyConstraint(["inbox"], ["inboxes.id"], name="fk_listeners_inbox"),
        sa.ForeignKeyConstraint(
            ["receiver"], ["receivers.id"], name="fk_listeners_receiver", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_listeners_receiver", "listeners", ["receiver"])


def downgrade() -> None:
    for name in ("listeners", "inbox_keys", "inboxes"):
        op.drop_table(name)
    op.drop_column("receivers", "listen")
