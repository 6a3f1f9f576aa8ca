"""How long the service has watched each execution that waits, so that no wait is endless."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("executions", sa.Column("watched", sa.Float, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("executions", "watched")
