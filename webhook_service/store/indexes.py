"""The partial indexes: of rows in some states only, as claims and people look for them.

Apart from the tables, because only what compares them with a database needs them: declared, each
loads SQLAlchemy's whole PostgreSQL dialect, also where SQLite is used.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, TextClause

from webhook_service.store.tables import (
    ACTIVE,
    BEHIND,
    EXPIRING,
    EXPLAINED,
    IMAGE_NAME,
    LATER,
    LIVE,
    OPEN,
    POLLED,
    READY,
    REFUSED,
    REPLAY,
    REVISION,
    RUNNING,
    SETTLED,
    SUCCEEDED,
    UNDECIDED,
    deliveries,
    executions,
    inbox_keys,
    keys,
    metadata,
    receivers,
    tokens,
)

__all__ = ["metadata"]


def _partial(name: str, where: TextClause, *columns: Column[Any], unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


_partial("ix_receivers_poll_due", POLLED, receivers.c.poll_due)
_partial("ix_keys_expires", EXPIRING, keys.c.expires)
_partial("ix_inbox_keys_expires", EXPIRING, inbox_keys.c.expires)
_partial("ix_tokens_live", LIVE, tokens.c.project)
# The newest few of a receiver are kept.
_partial("ix_deliveries_refused", REFUSED, deliveries.c.receiver, deliveries.c.seq)

# ``queue`` says where a claim looks for what is open; state, due time and slot decide.
_partial("ix_executions_due", READY, executions.c.due)
_partial("ix_executions_later", LATER, executions.c.due)
_partial("ix_executions_ready", READY, executions.c.project, executions.c.due)
_partial("ix_executions_behind", BEHIND, executions.c.slot, executions.c.seq)
_partial("ix_executions_lease", RUNNING, executions.c.lease_until)
_partial(
    "ix_executions_pending",
    OPEN,
    executions.c.slot,
    executions.c.coalesce,
    executions.c.ordered,
    executions.c.seq,
)
_partial("ix_executions_open", OPEN, executions.c.project)
_partial("ix_executions_settled", SETTLED, executions.c.slot)
# The database itself refuses a second active execution in a slot, whatever a claim believed.
_partial("uq_executions_active_slot", ACTIVE, executions.c.slot, unique=True)

# For people: lists by reason and by image, replays, what can be rolled back to, and what waits for
# a vote.
for _table in (deliveries, executions):
    _columns = (_table.c.reason, _table.c.project, _table.c.seq)
    _partial(f"ix_{_table.name}_reason", EXPLAINED, *_columns)
Index("ix_executions_image", IMAGE_NAME, executions.c.project, executions.c.seq)
_partial("ix_executions_replay_of", REPLAY, executions.c.replay_of)
_partial("ix_executions_receiver_changed", REVISION, executions.c.receiver, executions.c.changed)
_partial("ix_executions_slot_changed", REVISION, executions.c.slot, executions.c.changed)
_partial("ix_executions_slot_revisions", SUCCEEDED, executions.c.slot, executions.c.finished)
_partial("ix_executions_approve_by", UNDECIDED, executions.c.approve_by)
