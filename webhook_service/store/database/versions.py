"""Changes of what people wrote: made for the version that they read, and for no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import Connection, Row, Table, select, update

from webhook_service.errors import ChangedMeanwhile, NotFound


class Versioned(Protocol):
    """What a project has, as it was read."""

    @property
    def id(self) -> str: ...
    @property
    def project(self) -> str: ...
    @property
    def version(self) -> int: ...


def compare_and_set(
    connection: Connection,
    table: Table,
    old: Versioned,
    values: Mapping[str, Any],
    *,
    noun: str,
    missing: NotFound,
) -> Row[Any]:
    """Change the row that ``old`` was read from, if it is still so; gives the row after it.

    Args:
        values: of its columns; the version grows by one.
        noun: what it is called in messages.
        missing: is raised if it was deleted meanwhile.

    Raises:
        NotFound: ``missing``.
        ChangedMeanwhile: it is no longer ``old``.
    """
    same = (table.c.id == old.id, table.c.project == old.project)
    changed = connection.execute(
        update(table)
        .where(*same, table.c.version == old.version)
        .values(version=table.c.version + 1, **values)
        .returning(table)
    ).one_or_none()
    if changed is not None:
        return changed
    if connection.execute(select(table.c.id).where(*same)).first() is None:
        raise missing
    raise ChangedMeanwhile(
        f"The {noun} was changed by somebody else at the same time, and not by this request; read "
        "it again, and repeat the change if it is still right."
    )
