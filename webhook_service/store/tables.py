"""The tables. The migrations must build exactly these and ``indexes``: a test compares the two.

Times are integers, microseconds since 1970 UTC: they sort, index and compare alike in SQLite and
PostgreSQL.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = (
    (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    for moment in (datetime.min, datetime.max)
)
_Big = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def micros(moment: datetime) -> int:
    """A moment as it is stored; at most the last one that UTC has.

    An evening of 9999-12-31 west of Greenwich is in the year 10000, which nobody could read again.
    """
    return _within_utc((moment - _EPOCH) // timedelta(microseconds=1))


def _within_utc(since: int) -> int:
    return min(max(since, _FIRST), _LAST)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=_within_utc(value))


receivers = Table(
    "receivers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("labels", JSON, nullable=False, server_default="{}"),
    Column("driver", String(255), nullable=False),
    Column("config", JSON, nullable=False),
    Column("sealed_config", Text),
    Column("listen", JSON, nullable=False, server_default="{}"),
    Column("source", JSON, nullable=False),
    Column("match", JSON, nullable=False),
    Column("verify", JSON, nullable=False),
    Column("registry", JSON(none_as_null=True)),
    Column("approval", JSON(none_as_null=True)),
    Column("respond", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("version", Integer, nullable=False),
    Column("poll_due", Moment),
    UniqueConstraint("project", "name"),
    Index(None, "project", "id"),
)

POLLED = text("poll_due IS NOT NULL")

keys = Table(
    "keys",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("receiver", String(40), ForeignKey("receivers.id", ondelete="CASCADE"), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),
    Index(None, "receiver"),
)

# One URL for the receivers that listen.
inboxes = Table(
    "inboxes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("source", JSON, nullable=False),
    Column("verify", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("version", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    UniqueConstraint("project", "name"),
    Index(None, "project", "id"),
)

inbox_keys = Table(
    "inbox_keys",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("inbox", String(40), ForeignKey("inboxes.id", ondelete="CASCADE"), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),
    Index(None, "inbox"),
)

# An inbox to which a receiver listens cannot be deleted: nobody would call the receiver any more.
listeners = Table(
    "listeners",
    metadata,
    Column("inbox", String(40), ForeignKey("inboxes.id"), primary_key=True),
    Column(
        "receiver", String(40), ForeignKey("receivers.id", ondelete="CASCADE"), primary_key=True
    ),
    Index(None, "receiver"),
)

EXPIRING = text("expires IS NOT NULL")

# Nothing of a project begins while it has one.
holds = Table(
    "holds",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("why", Text, nullable=False),
    Column("by", String(255), nullable=False),
    Column("created", Moment, nullable=False),
    UniqueConstraint("project", "name"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", _Big, primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("project", String(255), nullable=False),
    Column("receiver", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", String(40)),
    Column("items", JSON, nullable=False),
    Column("duplicate_of", String(40)),
    Column("client", String(64), nullable=False),
    Column("received", Moment, nullable=False),
    Column("body", LargeBinary),
    Column("refusal", JSON(none_as_null=True)),
    Index(None, "project", "seq"),
    Index(None, "receiver", "seq"),
    Index(None, "state", "project", "seq"),
    sqlite_autoincrement=True,
)

REFUSED = text("state = 'refused'")
EXPLAINED = text("reason IS NOT NULL")

executions = Table(
    "executions",
    metadata,
    Column("seq", _Big, primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("project", String(255), nullable=False),
    Column("receiver", String(40), nullable=False),
    Column("delivery", String(40), nullable=False),
    Column("driver", String(255), nullable=False),
    Column("slot", Text, nullable=False),
    Column("coalesce", Boolean, nullable=False),
    Column("named", Boolean, nullable=False),
    Column("event", JSON, nullable=False),
    Column("identity", String(64), nullable=False),
    Column("dedupe", String(64), nullable=False),
    Column("ordered", Moment, nullable=False),
    Column("state", String(20), nullable=False),
    Column("created", Moment, nullable=False),
    Column("due", Moment),
    Column("queue", String(10), nullable=False, server_default="ready"),
    Column("settled", Boolean, nullable=False, server_default=false()),
    Column("finished", Moment),
    Column("changed", Moment),
    Column("lease_until", Moment),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("lost", Integer, nullable=False, server_default="0"),
    Column("retries", Integer, nullable=False, server_default="0"),
    Column("watched", Float, nullable=False, server_default="0"),
    Column("driver_state", JSON, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("reason", String(64)),
    Column("message", Text, nullable=False, server_default=""),
    Column("superseded_by", String(40)),
    Column("rolls_back", String(64)),
    Column("back_to", JSON(none_as_null=True)),
    Column("replay_of", String(40)),
    Column("requested_by", String(255)),
    Column("interruption", String(20)),
    Column("interrupted_by", String(255)),
    Column("approvals_needed", Integer),
    Column("approve_by", Moment),
    Column("let_through", String(255)),
    UniqueConstraint("receiver", "dedupe"),
    Index(None, "project", "seq"),
    Index(None, "receiver", "seq"),
    Index(None, "state", "project", "seq"),
    Index(None, "driver", "project", "seq"),
    Index(None, "delivery"),
    sqlite_autoincrement=True,
)


class _ImageName(ColumnElement[str]):
    """Registry and repository of what was pushed; nothing of a raw request."""

    inherit_cache = True
    type = String()


@compiles(_ImageName, "sqlite")
def _image_in_sqlite(*_: Any, **__: Any) -> str:
    return (
        "(CASE WHEN json_valid(event) THEN json_extract(event, '$.registry') || '/' || "
        "json_extract(event, '$.repository') END)"
    )


@compiles(_ImageName, "postgresql")
def _image_in_postgresql(*_: Any, **__: Any) -> str:
    return "(((event ->> 'registry') || '/') || (event ->> 'repository'))"


IMAGE_NAME = _ImageName()

OPEN = text("state IN ('queued', 'held', 'retrying', 'waiting')")
RUNNING = text("state = 'running'")
ACTIVE = text("(state = 'running' OR (state = 'waiting' AND NOT settled))")
PENDING = text("state IN ('queued', 'held', 'retrying')")
SETTLED = text("state = 'waiting' AND settled")
READY = text("state IN ('queued', 'held', 'retrying', 'waiting') AND queue = 'ready'")
LATER = text("state IN ('queued', 'held', 'retrying', 'waiting') AND queue = 'later'")
BEHIND = text("state IN ('queued', 'held', 'retrying', 'waiting') AND queue = 'behind'")
SUCCEEDED = text("state = 'succeeded'")
REVISION = text("changed IS NOT NULL")
UNDECIDED = text("state = 'held' AND approve_by IS NOT NULL")
REPLAY = text("replay_of IS NOT NULL")


# Whom a project tells of what happens. What is told is an execution (see ``model.notification``).
notifications = Table(
    "notifications",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("kind", String(255), nullable=False),
    Column("on", JSON, nullable=False),
    Column("when", Text),
    Column("config", JSON, nullable=False),
    Column("sealed_config", Text),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("project", "name"),
)

approvals = Table(
    "approvals",
    metadata,
    Column(
        "execution", String(40), ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("voter", String(255), primary_key=True),
    Column("approved", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column(
        "execution", String(40), ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("number", Integer, primary_key=True),
    Column("started", Moment, nullable=False),
    Column("finished", Moment),
    Column("state", String(20), nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("steps", Integer, nullable=False, server_default="1"),
)

slots = Table(
    "slots",
    metadata,
    Column("slot", Text, primary_key=True),
    Column("ordered", Moment, nullable=False),
    Column("seq", _Big, nullable=False),
    Column("execution", String(40), nullable=False),
)

sightings = Table(
    "sightings",
    metadata,
    Column(
        "receiver", String(40), ForeignKey("receivers.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("repository", String(512), primary_key=True),
    Column("tag", String(128), primary_key=True),
    Column("digest", String(140)),
    Column("changes", Integer, nullable=False),
    Column("looked", Moment, nullable=False),
)

chores = Table(
    "chores",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("due", Moment, nullable=False),
    Column("cursor", Text, nullable=False),
)

# Of each day (UTC) and owner, a receiver's id or ``project/`` and its id: what calls have stored.
stored_bytes = Table(
    "stored_bytes",
    metadata,
    Column("day", Date, primary_key=True),
    Column("owner", String(300), primary_key=True),
    Column("size", BigInteger, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("project", String(255), nullable=False),
    Column("role", String(20), nullable=False),
    Column("name", String(255), nullable=False, server_default=""),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),
    Column("used", Moment),
    Column("revoked", Moment),
    Index(None, "project", "id"),
)

LIVE = text("revoked IS NULL")

# A link that logs in is a row of its own kind.
sessions = Table(
    "sessions",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("token", String(40)),
    Column("actor", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("grants", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Index(None, "actor", "created"),
    Index(None, "expires"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(40), nullable=False),
    Column("receiver", String(40)),
    Column("actor", String(255), nullable=False),
    Column("via", String(20), nullable=False),
    Column("address", String(64), nullable=False),
    Column("changes", JSON, nullable=False),
    Column("at", Moment, nullable=False),
    Index(None, "project", "id"),
    Index(None, "receiver", "id"),
    Index(None, "subject", "id"),
    Index(None, "actor", "project", "id"),
    Index(None, "action", "project", "id"),
    Index(None, "via", "project", "id"),
)
