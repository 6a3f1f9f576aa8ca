"""The audit: who did what to which receiver, token or execution, from where, and what it changed.

An entry is stored in the transaction of the change itself, so that neither is there without the
other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from webhook_service.model.ids import hide_keys, new_id
from webhook_service.model.inbox import InboxSpec, inbox_as_json
from webhook_service.model.notification import NotificationSpec, notification_as_json
from webhook_service.model.receiver import HIDDEN, ReceiverSpec, as_json, config_field

AUDIT = "aud"
CHANGED = "changed"
"""What an entry shows instead of a new secret."""
MAX_FIELDS = 100
MAX_VALUE = 500

Spec = ReceiverSpec | InboxSpec
AnySpec = Spec | NotificationSpec


class AuditAction(StrEnum):
    """What somebody did."""

    RECEIVER_CREATED = "receiver.created"
    RECEIVER_UPDATED = "receiver.updated"
    RECEIVER_SUSPENDED = "receiver.suspended"
    RECEIVER_RESUMED = "receiver.resumed"
    RECEIVER_ROTATED = "receiver.rotated"
    RECEIVER_PUSHED = "receiver.pushed"
    RECEIVER_ROLLED_BACK = "receiver.rolled_back"
    RECEIVER_DELETED = "receiver.deleted"
    INBOX_CREATED = "inbox.created"
    INBOX_UPDATED = "inbox.updated"
    INBOX_ROTATED = "inbox.rotated"
    INBOX_DELETED = "inbox.deleted"
    NOTIFICATION_CREATED = "notification.created"
    NOTIFICATION_UPDATED = "notification.updated"
    NOTIFICATION_TESTED = "notification.tested"
    NOTIFICATION_DELETED = "notification.deleted"
    PROJECT_HELD = "project.held"
    PROJECT_RELEASED = "project.released"
    TOKEN_CREATED = "token.created"
    TOKEN_REVOKED = "token.revoked"
    EXECUTION_APPROVED = "execution.approved"
    EXECUTION_REFUSED = "execution.refused"
    EXECUTION_RELEASED = "execution.released"
    EXECUTION_REPLAYED = "execution.replayed"
    EXECUTION_CANCELLED = "execution.cancelled"
    EXECUTION_ABORTED = "execution.aborted"
    TARGET_DRIFTED = "target.drifted"


Via = Literal["api", "cli", "console", "link", "application", "target"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from where.

    Attributes:
        name: of a person or a token, as people know it; 255 characters at most.
        via: which way in: the management API, the command line, the console, a link to vote, or
            an embedding application; past the service, on the target itself.
        address: of the caller, behind the trusted proxies; on the command line the account of the
            operating system.
    """

    name: str
    via: Via = "application"
    address: str = ""


APPLICATION = Actor("application")
"""Whoever an embedding application does not name."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field, such as ``match.tags.value``, before and after; null where there was none."""

    field: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What one person did at one moment. ``subject`` is the id of what it was done to."""

    actor: Actor
    action: AuditAction
    project: str
    subject: str
    receiver: str | None = None
    changes: tuple[FieldChange, ...] = ()
    id: str = field(default_factory=lambda: new_id(AUDIT))
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def compare(before: AnySpec | None, after: AnySpec | None) -> tuple[FieldChange, ...]:
    """The fields in which two states of a receiver or inbox differ; of a new or deleted one all.

    Of a secret it only says that it changed. A long value is cut to 500 characters of JSON.
    """
    old, new = _fields(before), _fields(after)
    secrets = _changed_secrets(before, after)
    names = [name for name in {**old, **new} if name in secrets or old.get(name) != new.get(name)]
    found = [
        FieldChange(name, _shown(old.get(name)), _after(new.get(name), name in secrets))
        for name in names
    ]
    if len(found) > MAX_FIELDS:
        rest = len(found) - MAX_FIELDS
        return (*found[:MAX_FIELDS], FieldChange("…", None, f"{rest} more fields"))
    return tuple(found)


def _fields(spec: AnySpec | None) -> Mapping[str, Any]:
    """What answers show of a receiver or inbox, flat: ``match.tags.value``."""
    if spec is None:
        return {}
    return dict(_flat(_as_json(spec), ""))


def _as_json(spec: AnySpec) -> Mapping[str, Any]:
    match spec:
        case InboxSpec():
            return inbox_as_json(spec)
        case NotificationSpec():
            return notification_as_json(spec)
    return as_json(spec)


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}" if path else name)
    elif value not in (None, "", [], ()):
        yield path, value


def _changed_secrets(before: AnySpec | None, after: AnySpec | None) -> set[str]:
    """Answers show the same of the old and of the new secret."""
    old, new = (
        {} if spec is None or isinstance(spec, NotificationSpec) else spec.verify.secrets
        for spec in (before, after)
    )
    of_verify = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return {f"verify.{name}" for name in of_verify} | _changed_in_config(before, after)


def _changed_in_config(before: AnySpec | None, after: AnySpec | None) -> set[str]:
    """The fields of a driver's or kind's config whose secrets are others now."""
    if after is None or isinstance(after, InboxSpec):
        return set()
    field = config_field(_plugin(after))
    old = {} if before is None or isinstance(before, InboxSpec) else before.full_config
    shown = dict(_flat({field: after.config}, ""))
    was, now = dict(_flat({field: old}, "")), dict(_flat({field: after.full_config}, ""))
    hidden = {name for name, value in shown.items() if value != now.get(name)}
    return {name for name in hidden if was.get(name) != now.get(name)}


def _plugin(spec: ReceiverSpec | NotificationSpec) -> str:
    return spec.driver if isinstance(spec, ReceiverSpec) else spec.kind


def _after(value: Any, is_secret: bool) -> Any:
    hides = value == HIDDEN or (is_secret and value is not None)
    return CHANGED if hides else _shown(value)


def _shown(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False)
    hidden = hide_keys(text)
    if len(hidden) > MAX_VALUE:
        return f"{hidden[:MAX_VALUE]}…"
    return value if hidden == text else json.loads(hidden)
