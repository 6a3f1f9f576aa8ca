"""Why an execution that has begun is to stop, and who wants it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("executions", sa.Column("interruption", sa.String(length=20)))
    op.add_column("executions", sa.Column("interrupted_by", sa.String(length=255)))


def downgrade() -> None:
    op.drop_column("executions", "interrupted_by")
    op.drop_column("executions", "interruption")
