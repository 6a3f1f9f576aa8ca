"""Secrets in drivers' configs, and the name, expiry and last use of tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("receivers", sa.Column("sealed_config", sa.Text()))
    op.add_column("tokens", sa.Column("name", sa.String(255), nullable=False, server_default=""))
    op.add_column("tokens", sa.Column("expires", sa.BigInteger()))
    op.add_column("tokens", sa.Column("used", sa.BigInteger()))


def downgrade() -> None:
    for name in ("used", "expires", "name"):
        op.drop_column("tokens", name)
    op.drop_column("receivers", "sealed_config")
