"""What the audit says of a change of a receiver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from webhook_service.model.people.audit import (
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
    compare,
)
from webhook_service.model.receiver import Receiver


def entry(
    by: Actor, action: AuditAction, receiver: Receiver | Row[Any], changes: Sequence[FieldChange]
) -> AuditEntry:
    return AuditEntry(by, action, receiver.project, receiver.id, receiver.id, tuple(changes))


def state_entry(by: Actor, action: AuditAction, old: str, changed: Row[Any]) -> AuditEntry:
    changes = [] if old == changed.state else [FieldChange("state", old, changed.state)]
    return entry(by, action, changed, [*changes, _next_version(changed.version)])


def changed_entries(by: Actor, old: Receiver, new: Receiver) -> Sequence[AuditEntry]:
    """An update may also suspend or resume, which is an entry of its own."""
    changes = compare(old.spec, new.spec)
    version = _next_version(new.version)
    state = [change for change in changes if change.field == "state"]
    other = [change for change in changes if change.field != "state"]
    found = []
    if state:
        turned = AuditAction.RECEIVER_SUSPENDED if new.suspended else AuditAction.RECEIVER_RESUMED
        found.append(entry(by, turned, new, [*state, version]))
    if other or not state:
        found.append(entry(by, AuditAction.RECEIVER_UPDATED, new, [*other, version]))
    return found


def _next_version(version: int) -> FieldChange:
    return FieldChange("version", version - 1, version)
