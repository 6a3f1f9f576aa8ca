"""Projects: there is no table of them, only what they own."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from webhook_service.store.database import Database
from webhook_service.store.tables import receivers, tokens

_LIVE = tokens.c.revoked.is_(None)
# The first and the last name tell whether there are several. Each is one probe of an index; asked
# for together SQLite would read the whole index.
_WITH_RECEIVERS = select(
    select(func.min(receivers.c.project)).scalar_subquery(),
    select(func.max(receivers.c.project)).scalar_subquery(),
)
_WITH_TOKENS = select(
    select(func.min(tokens.c.project)).where(_LIVE).scalar_subquery(),
    select(func.max(tokens.c.project)).where(_LIVE).scalar_subquery(),
)


class ProjectStore:
    """Knows who uses the service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def shares(self, project: str) -> bool:
        """Whether another project uses the service too: it has a receiver, or a live token."""
        with self._database.read() as connection:
            return bool(some_projects(connection) - {project})

    def shared(self) -> bool:
        """Whether several projects use the service."""
        with self._database.read() as connection:
            return len(some_projects(connection)) > 1


def some_projects(connection: Connection) -> frozenset[str]:
    """The project if there is one, and two of them if there are several."""
    for asked in (_WITH_RECEIVERS, _WITH_RECEIVERS.union_all(_WITH_TOKENS)):
        found = {name for row in connection.execute(asked) for name in row if name is not None}
        if len(found) > 1:
            break
    return frozenset(found)
