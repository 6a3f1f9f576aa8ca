"""Pages: newest first, filtered by field, continued by a marker.

A marker is the last item's place, sealed for its project: places are counted over all projects, and
tell what the others do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, LargeBinary, Row, select
from sqlalchemy.exc import SQLAlchemyError

from webhook_service.errors import InvalidRequest, SettingsError
from webhook_service.model.pages import Page, PageRequest
from webhook_service.store.filters import Filter, chosen, find_places
from webhook_service.store.secrets.sealing import Sealer

log = logging.getLogger(__name__)
T = TypeVar("T")


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
        fields: what may be filtered on, by name.

    Raises:
        InvalidRequest: an unknown filter, or a marker that no page gave.
    """
    table, owner = order.table, f"marker {order.table.name} {project}"
    given = chosen(page.filters or {}, fields)
    before = _opened(order, sealer, owner, page.marker) if page.marker else None
    query = find_places(connection, project, order, given, before, page.limit + 1)
    places = connection.execute(query).scalars().all()
    shown = places[: page.limit]
    # All but what is long and shown by itself: bodies of calls.
    columns = [column for column in table.c if not isinstance(column.type, LargeBinary)]
    rows = select(*columns).where(order.in_(shown)).order_by(order.desc())
    try:
        items = tuple([build(row) for row in connection.execute(rows)])
    except SQLAlchemyError:
        raise
    except Exception:
        # A row that cannot be read: each one alone, and the bad ones are logged there.
        items = tuple(_readable(connection, columns, order, shown, build))
    more = len(places) > page.limit
    return Page(items, sealer.seal(owner, str(places[page.limit - 1])) if more else None)


def _readable(
    connection: Connection,
    columns: Sequence[Column[Any]],
    order: Column[Any],
    places: Sequence[Any],
    build: Callable[[Row[Any]], T],
) -> Iterator[T]:
    """Read rows one by one: a bad one does not keep people from all others."""
    for place in places:
        try:
            yield build(connection.execute(select(*columns).where(order == place)).one())
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
