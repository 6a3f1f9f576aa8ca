"""Who let an execution through the rules that held it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("executions", sa.Column("let_through", sa.String(length=255)))


def downgrade() -> None:
    op.drop_column("executions", "let_through")
