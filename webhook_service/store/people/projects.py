"""Projects: there is no table of them, only what they own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, Connection, and_, func, or_, select

from webhook_service.model.notification import is_of_notices
from webhook_service.model.people.projects import Project
from webhook_service.store.database.database import Database
from webhook_service.store.tables import OPEN, RUNNING, executions, receivers, tokens

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

    def list(self, project: str | None = None) -> Sequence[Project]:
        """All projects that have something, by id; or only the one that is given."""
        live = and_(_LIVE, or_(tokens.c.expires.is_(None), tokens.c.expires > self._database.now()))
        with self._database.read() as connection:
            counts = [
                _counts(connection, column, condition, project)
                for column, condition in (
                    (receivers.c.project, None),
                    (tokens.c.project, live),
                    (executions.c.project, or_(OPEN, RUNNING)),
                )
            ]
        names = sorted(set().union(*counts))
        return [Project(name, *(found.get(name, 0) for found in counts)) for name in names]


def _counts(
    connection: Connection,
    owner: Column[str],
    condition: ColumnElement[bool] | None,
    project: str | None,
) -> dict[str, int]:
    """How many rows each project has."""
    query = select(owner, func.count()).group_by(owner)
    if condition is not None:
        query = query.where(condition)
    if project is not None:
        query = query.where(owner == project)
    return {name: count for name, count in connection.execute(query) if not is_of_notices(name)}


def some_projects(connection: Connection) -> frozenset[str]:
    """The project if there is one, and two of them if there are several."""
    for asked in (_WITH_RECEIVERS, _WITH_RECEIVERS.union_all(_WITH_TOKENS)):
        found = {name for row in connection.execute(asked) for name in row if name is not None}
        if len(found) > 1:
            break
    return frozenset(found)
