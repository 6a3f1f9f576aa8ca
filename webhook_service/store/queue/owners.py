"""Whose executions the candidates for a claim are, and what these say now."""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, select

from webhook_service.model.notification import is_notification
from webhook_service.model.receiver import ReceiverState
from webhook_service.store.tables import holds, notifications, receivers

_RECEIVERS: Select[Any] = select(
    *(receivers.c.id, receivers.c.config, receivers.c.match, receivers.c.registry),
    *(receivers.c.state, receivers.c.sealed_config),
    select(func.min(holds.c.why))
    .where(holds.c.project == receivers.c.project)
    .scalar_subquery()
    .label("project_held"),
).where(receivers.c.id.in_(bindparam("ids", expanding=True)))
_NOTIFICATIONS: Select[Any] = select(
    *(notifications.c.id, notifications.c.config, notifications.c.sealed_config)
).where(notifications.c.id.in_(bindparam("ids", expanding=True)))


class Owner(NamedTuple):
    """What is known of whose execution it is: a receiver, or a notification.

    Attributes:
        project_held: why nothing of a receiver's project begins now. No hold stops a notice.
    """

    id: str
    config: Mapping[str, Any]
    sealed_config: str | None
    match: Mapping[str, Any] = MappingProxyType({"tags": {}})
    registry: Mapping[str, Any] | None = None
    state: str = ReceiverState.ACTIVE
    project_held: str | None = None


def owners_of(connection: Connection, ids: Set[str]) -> Mapping[str, Owner]:
    """What owners say now, by id; a deleted one is missing."""
    of_notices = {id_ for id_ in ids if is_notification(id_)}
    found: dict[str, Owner] = {}
    for query, wanted in ((_RECEIVERS, ids - of_notices), (_NOTIFICATIONS, of_notices)):
        if wanted:
            rows_found = connection.execute(query, {"ids": list(wanted)})
            found |= {row.id: Owner(**row._mapping) for row in rows_found}
    return found
