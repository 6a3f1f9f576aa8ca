"""Pages: newest first, filtered by field, continued by a marker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Row, Select

from webhook_service.errors import InvalidRequest
from webhook_service.model.pages import Page, PageRequest

T = TypeVar("T")


def fetch(
    connection: Connection,
    query: Select[Any],
    order: Column[Any],
    page: PageRequest,
    fields: Mapping[str, Column[Any]],
    build: Callable[[Row[Any]], T],
) -> Page[T]:
    """Run a query for one page.

    Args:
        order: a unique column; items come with its highest value first.
        fields: the columns that may be filtered on, by name.

    Raises:
        InvalidRequest: an unknown filter, or a marker that no page gave.
    """
    for name, value in (page.filters or {}).items():
        if name not in fields:
            known = ", ".join(sorted(fields))
            raise InvalidRequest(f"Cannot filter by {name[:100]!r}; possible: {known}.")
        query = query.where(fields[name] == value)
    if page.marker is not None:
        query = query.where(order < _marker(order, page.marker))
    rows = connection.execute(query.order_by(order.desc()).limit(page.limit + 1)).all()
    more = len(rows) > page.limit
    items = tuple(build(row) for row in rows[: page.limit])
    return Page(items, str(rows[page.limit - 1]._mapping[order]) if more else None)


def _marker(order: Column[Any], marker: str) -> Any:
    if order.type.python_type is not int:
        return marker
    if not (marker.isascii() and marker.isdigit() and len(marker) <= 18):
        raise InvalidRequest("marker is not one that an earlier page gave.")
    return int(marker)
