"""Notifications: whom a project tells of what happens."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("on", sa.JSON(), nullable=False),
        sa.Column("when", sa.Text()),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("sealed_config", sa.Text()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint("project", "name", name="uq_notifications_project_name"),
    )


def downgrade() -> None:
    op.drop_table("notifications")
