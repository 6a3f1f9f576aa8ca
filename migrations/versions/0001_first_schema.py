"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state IN ('queued', 'held', 'retrying', 'waiting')")
RUNNING = sa.text("state = 'running'")
ACTIVE = sa.text("(state = 'running' OR (state = 'waiting' AND NOT settled))")
SETTLED = sa.text("state = 'waiting' AND settled")
LATER = sa.text("state IN ('queued', 'held', 'retrying', 'waiting') AND queue = 'later'")
READY = sa.text("state IN ('queued', 'held', 'retrying', 'waiting') AND queue = 'ready'")
BEHIND = sa.text("state IN ('queued', 'held', 'retrying', 'waiting') AND queue = 'behind'")
FAILED = sa.text("state = 'failed'")
SUCCEEDED = sa.text("state = 'succeeded'")
UNDECIDED = sa.text("state = 'held' AND approve_by IS NOT NULL")
REPLAY = sa.text("replay_of IS NOT NULL")
EXPIRING = sa.text("expires IS NOT NULL")
POLLED = sa.text("poll_due IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("seq", BIG, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("receiver", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("duplicate_of", sa.String(length=40), nullable=True),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_deliveries"),
        sa.UniqueConstraint("id", name="uq_deliveries_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_project_seq", "deliveries", ["project", "seq"])
    op.create_index("ix_deliveries_receiver_seq", "deliveries", ["receiver", "seq"])

    op.create_table(
        "executions",
        sa.Column("seq", BIG, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("receiver", sa.String(length=40), nullable=False),
        sa.Column("delivery", sa.String(length=40), nullable=False),
        sa.Column("driver", sa.String(length=255), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("coalesce", sa.Boolean(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("event", sa.JSON(), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("dedupe", sa.String(length=64), nullable=False),
        sa.Column("ordered", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("queue", sa.String(length=10), server_default="ready", nullable=False),
        sa.Column("settled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lost", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("driver_state", sa.JSON(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("superseded_by", sa.String(length=40), nullable=True),
        sa.Column("rolls_back", sa.String(length=64), nullable=True),
        sa.Column("replay_of", sa.String(length=40), nullable=True),
        sa.Column("requested_by", sa.String(length=255), nullable=True),
        sa.Column("approvals_needed", sa.Integer(), nullable=True),
        sa.Column("approve_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_executions"),
        sa.UniqueConstraint("id", name="uq_executions_id"),
        sa.UniqueConstraint("receiver", "dedupe", name="uq_executions_receiver_dedupe"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_executions_delivery", "executions", ["delivery"])
    for name, columns, where in (
        ("behind", ["slot", "seq"], BEHIND),
        ("due", ["due"], READY),
        ("later", ["due"], LATER),
        ("pending", ["slot", "coalesce", "ordered", "seq"], OPEN),
        ("ready", ["project", "due"], READY),
        ("settled", ["slot"], SETTLED),
    ):
        op.create_index(
            f"ix_executions_{name}",
            "executions",
            columns,
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_index(
        "ix_executions_lease",
        "executions",
        ["lease_until"],
        sqlite_where=RUNNING,
        postgresql_where=RUNNING,
    )
    op.create_index("ix_executions_project_seq", "executions", ["project", "seq"])
    op.create_index(
        "uq_executions_active_slot",
        "executions",
        ["slot"],
        unique=True,
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )

    op.create_index(
        "ix_executions_failed",
        "executions",
        ["project", "seq"],
        sqlite_where=FAILED,
        postgresql_where=FAILED,
    )
    op.create_index(
        "ix_executions_replay_of",
        "executions",
        ["replay_of"],
        sqlite_where=REPLAY,
        postgresql_where=REPLAY,
    )
    for owner in ("receiver", "slot"):
        op.create_index(
            f"ix_executions_{owner}_revisions",
            "executions",
            [owner, "finished"],
            sqlite_where=SUCCEEDED,
            postgresql_where=SUCCEEDED,
        )
    op.create_index(
        "ix_executions_approve_by",
        "executions",
        ["approve_by"],
        sqlite_where=UNDECIDED,
        postgresql_where=UNDECIDED,
    )

    op.create_table(
        "receivers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("driver", sa.String(length=255), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("match", sa.JSON(), nullable=False),
        sa.Column("verify", sa.JSON(), nullable=False),
        sa.Column("registry", sa.JSON(), nullable=True),
        sa.Column("approval", sa.JSON(), nullable=True),
        sa.Column("respond", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("poll_due", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_receivers"),
        sa.UniqueConstraint("project", "name", name="uq_receivers_project_name"),
    )
    op.create_index(
        "ix_receivers_poll_due",
        "receivers",
        ["poll_due"],
        sqlite_where=POLLED,
        postgresql_where=POLLED,
    )
    op.create_table(
        "sightings",
        sa.Column("receiver", sa.String(length=40), nullable=False),
        sa.Column("repository", sa.String(length=512), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=140), nullable=True),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["receiver"], ["receivers.id"], name="fk_sightings_receiver", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("receiver", "repository", "tag", name="pk_sightings"),
    )
    op.create_table(
        "slots",
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("ordered", sa.BigInteger(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("execution", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("slot", name="pk_slots"),
    )
    op.create_table(
        "chores",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chores"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("fingerprint", name="uq_tokens_fingerprint"),
    )
    op.create_table(
        "approvals",
        sa.Column("execution", sa.String(length=40), nullable=False),
        sa.Column("voter", sa.String(length=255), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution"], ["executions.id"], name="fk_approvals_execution", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution", "voter", name="pk_approvals"),
    )
    op.create_table(
        "attempts",
        sa.Column("execution", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("steps", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["execution"], ["executions.id"], name="fk_attempts_execution", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution", "number", name="pk_attempts"),
    )
    op.create_table(
        "keys",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("receiver", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["receiver"], ["receivers.id"], name="fk_keys_receiver", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_keys"),
    )
    op.create_index("ix_keys_receiver", "keys", ["receiver"])
    op.create_index(
        "ix_keys_expires",
        "keys",
        ["expires"],
        sqlite_where=EXPIRING,
        postgresql_where=EXPIRING,
    )


def downgrade() -> None:
    for table in (
        "keys",
        "approvals",
        "chores",
        "sightings",
        "attempts",
        "tokens",
        "slots",
        "receivers",
        "executions",
        "deliveries",
    ):
        op.drop_table(table)
