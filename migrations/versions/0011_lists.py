"""Indexes by which a list costs what its page costs."""

import logging
import time

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

log = logging.getLogger("webhook_service.store.migrate")

_SMALL = (
    ("ix_receivers_project_id", "receivers", ["project", "id"]),
    ("ix_inboxes_project_id", "inboxes", ["project", "id"]),
    ("ix_tokens_project_id", "tokens", ["project", "id"]),
)
_LARGE = (
    ("ix_deliveries_state_project_seq", "deliveries", ["state", "project", "seq"]),
    ("ix_executions_receiver_seq", "executions", ["receiver", "seq"]),
    ("ix_executions_state_project_seq", "executions", ["state", "project", "seq"]),
    ("ix_executions_driver_project_seq", "executions", ["driver", "project", "seq"]),
    ("ix_audit_subject_id", "audit", ["subject", "id"]),
    ("ix_audit_actor_project_id", "audit", ["actor", "project", "id"]),
    ("ix_audit_action_project_id", "audit", ["action", "project", "id"]),
    ("ix_audit_via_project_id", "audit", ["via", "project", "id"]),
)
_EXPLAINED = sa.text("reason IS NOT NULL")
_FAILED = sa.text("state = 'failed'")
_IMAGE = (
    "(CASE WHEN json_valid(event) THEN json_extract(event, '$.registry') || '/' || "
    "json_extract(event, '$.repository') END)"
)
# Entries of one index that a slow machine adds in a second.
_SPEED = 250_000


def upgrade() -> None:
    for name, table, columns in _SMALL:
        op.create_index(name, table, columns)
    # The index over every state has these, too.
    op.drop_index("ix_executions_failed", "executions")
    # Elsewhere they come after the migrations, beside hosts that write (store/unlocked_indexes.py).
    if op.get_bind().dialect.name == "sqlite":
        _build()


def downgrade() -> None:
    op.create_index(
        "ix_executions_failed",
        "executions",
        ["project", "seq"],
        sqlite_where=_FAILED,
        postgresql_where=_FAILED,
    )
    op.drop_index("ix_executions_image", "executions", if_exists=True)
    for table in ("deliveries", "executions"):
        op.drop_index(f"ix_{table}_reason", table, if_exists=True)
    for name, table, _ in reversed((*_SMALL, *_LARGE)):
        op.drop_index(name, table, if_exists=True)


def _build() -> None:
    begun = time.monotonic()
    takes_long = _announce()
    for name, table, columns in _LARGE:
        op.create_index(name, table, columns)
    for table in ("deliveries", "executions"):
        op.create_index(
            f"ix_{table}_reason", table, ["reason", "project", "seq"], sqlite_where=_EXPLAINED
        )
    op.create_index("ix_executions_image", "executions", [sa.text(_IMAGE), "project", "seq"])
    if takes_long:
        log.warning("The indexes for lists are built; it took %.0f s.", time.monotonic() - begun)


def _announce() -> bool:
    """Say how long this takes, where it takes long; whether it does."""
    numbers = "SELECT coalesce(max(seq), 0) - coalesce(min(seq), 0) FROM "
    deliveries, executions = (
        op.get_bind().execute(sa.text(numbers + table)).scalar_one()
        for table in ("deliveries", "executions")
    )
    seconds = (deliveries + 5 * executions) / _SPEED
    if seconds < 1:
        return False
    log.warning(
        "Building the indexes for lists over up to %d deliveries and %d executions: this takes "
        "about %.0f s, in which nothing can be stored.",
        *(deliveries, executions, seconds),
    )
    return True
