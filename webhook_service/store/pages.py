"""Pages: newest first, filtered by field, continued by a marker.

A marker is the last item's place, sealed for its project: places are counted over all projects, and
tell what the others do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, select
from sqlalchemy.exc import SQLAlchemyError

from webhook_service.errors import InvalidRequest, SettingsError
from webhook_service.model.pages import Page, PageRequest
from webhook_service.store.sealing import Sealer

log = logging.getLogger(__name__)
T = TypeVar("T")
Filter = Column[Any] | Callable[[str], ColumnElement[bool]]


def fetch(
    connection: Connection,
    sealer: Sealer,
    project: str,
    order: Column[Any],
    page: PageRequest,
    fields: Mapping[str, Filter],
    build: Callable[[Row[Any]], T],
) -> Page[T]:
    """One page of a project's rows.

    Args:
        sealer: seals markers.
        order: a unique column of the table; items come with its highest value first.
        fields: what may be filtered on, by name: columns, or what gives a condition for a value.

    Raises:
        InvalidRequest: an unknown filter, or a marker that no page gave.
    """
    table, owner = order.table, f"marker {order.table.name} {project}"
    query = select(table).where(table.c.project == project)
    for name, value in (page.filters or {}).items():
        if name not in fields:
            known = ", ".join(sorted(fields))
            raise InvalidRequest(f"Cannot filter by {name[:100]!r}; possible: {known}.")
        field = fields[name]
        query = query.where(field == value if isinstance(field, Column) else field(value))
    if page.marker is not None:
        query = query.where(order < _opened(order, sealer, owner, page.marker))
    query = query.order_by(order.desc()).limit(page.limit + 1)
    try:
        rows = connection.execute(query).all()
        places = [row._mapping[order] for row in rows]
        items = tuple([build(row) for row in rows[: page.limit]])
    except SQLAlchemyError:
        raise
    except Exception:
        places = list(connection.execute(query.with_only_columns(order)).scalars())
        items = tuple(_readable(connection, query, order, places[: page.limit], build))
    more = len(places) > page.limit
    return Page(items, sealer.seal(owner, str(places[page.limit - 1])) if more else None)


def _readable(
    connection: Connection,
    query: Select[Any],
    order: Column[Any],
    places: Sequence[Any],
    build: Callable[[Row[Any]], T],
) -> Iterator[T]:
    """Read rows one by one: a bad one does not keep people from all others."""
    for place in places:
        try:
            yield build(connection.execute(query.where(order == place)).one())
        except SQLAlchemyError:
            raise
        except Exception:
            log.exception("The row %s of %s cannot be read; it is left out.", place, order.table)


def _opened(order: Column[Any], sealer: Sealer, owner: str, marker: str) -> Any:
    try:
        return order.type.python_type(sealer.open(owner, marker))
    except SettingsError:
        message = "marker is not one that an earlier page of this list gave: begin without one."
        raise InvalidRequest(message) from None
