"""Filters of lists, each with the index that answers it.

A list costs what its page costs, however much the project holds: one condition, the lead, is left
to an index that begins with it and goes on in the list's order. The others are tested on what that
index gives. Both databases may think another way shorter, because they take matches to be spread
evenly over the table; those of a receiver that was called last year are not. So the statement
leaves them no other way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    any_,
    func,
    literal,
    select,
)

from webhook_service.errors import InvalidRequest

# So many matches are counted, or sorted, to find the filter that leaves the fewest.
PROBE = 2000


@dataclass(frozen=True, slots=True)
class Indexed:
    """A field that equals a value, with an index over it, the project and the list's order.

    Attributes:
        by: what the index begins with.
        names_project: whether a value is of one project only, so that its index has no project.
    """

    by: ColumnElement[str]
    names_project: bool = False


@dataclass(frozen=True, slots=True)
class Begins:
    """An id that begins with a value, as people shorten ids."""

    column: Column[str]


Tested = Callable[[str], ColumnElement[bool]]
"""A condition that has no index, for a value."""
Filter = Indexed | Begins | Tested
Given = tuple[Filter, str]
"""A filter with the value that was asked for."""


def chosen(filters: Mapping[str, str], known: Mapping[str, Filter]) -> list[Given]:
    """The filters that were asked for.

    Raises:
        InvalidRequest: one that this list does not have.
    """
    for name in filters:
        if name not in known:
            possible = ", ".join(sorted(known))
            raise InvalidRequest(f"Cannot filter by {name[:100]!r}; possible: {possible}.")
    return [(known[name], value) for name, value in filters.items()]


def find_places(
    connection: Connection,
    project: str,
    order: Column[Any],
    given: Sequence[Given],
    before: Any,
    limit: int,
) -> Select[Any]:
    """The places of a page's rows, the highest first, for the list's own query.

    Args:
        order: a unique column of the table.
        before: the place after which the page comes; None for the first one.
        limit: how many places.
    """
    lead = _rarest(connection, project, order, given)
    rest = [_tested(each) for each in given if each is not lead]
    if lead is not None and isinstance(lead[0], Begins):
        few = connection.execute(select(order).where(_in_range(*lead)).limit(PROBE)).scalars()
        rest += [_tested(lead), order.table.c.project == project, order.in_(few.all())]
        query = select(order).where(*rest).order_by(order.desc())
    else:
        query = _by_index(connection, project, order, lead).where(*rest)
    return (query if before is None else query.where(order < before)).limit(limit)


def _rarest(
    connection: Connection, project: str, order: Column[Any], given: Sequence[Given]
) -> Given | None:
    """The filter to lead: the only one that has an index, or the one with the fewest matches."""
    able = [each for each in given if isinstance(each[0], Indexed | Begins)]
    if len(able) < 2 and not any(isinstance(field, Begins) for field, _ in able):
        return able[0] if able else None
    counts = [_count(connection, project, order, each) for each in able]
    lead = able[counts.index(min(counts))]
    # Ids are in the order of time, and not of the list: many of them would have to be sorted.
    is_wide = isinstance(lead[0], Begins) and min(counts) >= PROBE
    return next((each for each in able if isinstance(each[0], Indexed)), None) if is_wide else lead


def _count(connection: Connection, project: str, order: Column[Any], given: Given) -> int:
    """How many rows match, up to ``PROBE``; of ids, in all projects."""
    if isinstance(given[0], Begins):
        found = select(order).where(_in_range(*given))
    else:
        found = _by_index(connection, project, order, given)
    counted = select(func.count()).select_from(found.limit(PROBE).subquery())
    return int(connection.execute(counted).scalar_one())


def _by_index(
    connection: Connection, project: str, order: Column[Any], lead: Given | None
) -> Select[Any]:
    """The places that one index gives in its order, and no other could."""
    table = order.table
    owner: ColumnElement[str] = table.c.project
    by, value = owner, project
    if lead is not None and isinstance(lead[0], Indexed):
        by, value = lead[0].by, lead[1]
        owner = _unserved(owner) if lead[0].names_project else owner
    query = select(order)
    if connection.dialect.name == "postgresql":
        # By ``by = value`` PostgreSQL knows that ``by`` orders nothing, and may then take any index
        # that has the order. An array is nothing that it concludes from, with one element or many.
        query = query.where(by == any_(literal([value], ARRAY(String)))).order_by(by.desc())
    else:
        query = query.where(by == value)
    if by is not owner:
        query = query.where(owner == project)
    return query.order_by(order.desc())


def _unserved(column: ColumnElement[str]) -> ColumnElement[str]:
    """The same text as an expression that no index holds."""
    return column.concat("")


def _tested(given: Given) -> ColumnElement[bool]:
    field, value = given
    if isinstance(field, Indexed):
        return _unserved(field.by) == value
    if isinstance(field, Begins):
        return field.column.startswith(value, autoescape=True)
    return field(value)


def _in_range(field: Filter, value: str) -> ColumnElement[bool]:
    """What an id's index finds of those that begin so; digits come before letters everywhere."""
    assert isinstance(field, Begins)
    return and_(field.column >= value, field.column < f"{value}z")
