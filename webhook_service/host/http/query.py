"""Query strings: read once, with the first value of each field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection

from webhook_service.errors import InvalidRequest
from webhook_service.model.pages import MAX_LIMIT, WHOLE_LIST, PageRequest

MAX_FIELDS = 100
_NOT_FILTERS = frozenset({"projectId", "limit", "marker"})
# A proxy that checks them and this service must not see two different ones.
_DECIDING = ("projectId", "key", "token")
# What stands for itself, as in the URLs of nearly all receivers.
_PLAIN = re.compile(r"[A-Za-z0-9_.~=&-]*")


@dataclass(frozen=True, slots=True)
class QueryField:
    """A field of the query string.

    Attributes:
        values: the ones that it can have; any text if left out.
        needed: whether a request without it is refused.
    """

    name: str
    description: str
    values: type[StrEnum] | None = None
    needed: bool = False


def read_query(request: HTTPConnection) -> dict[str, str]:
    """The fields of the query string.

    Raises:
        InvalidRequest: it, or the path, has a control character, or names two projects or keys.
    """
    text = request.scope["query_string"].decode("latin-1")
    pairs = _pairs(text)
    fields: dict[str, str] = {}
    for name, value in pairs:
        if fields.setdefault(name, value) != value and name in _DECIDING:
            raise InvalidRequest(f"The query string has two values of {name}.")
    if not all(name.isprintable() and value.isprintable() for name, value in pairs):
        raise InvalidRequest("The query string has a control character.")
    if not request.scope["path"].isprintable():
        raise InvalidRequest("The path has a control character.")
    return fields


def _pairs(text: str) -> list[tuple[str, str]]:
    if _PLAIN.fullmatch(text) and text.count("&") < MAX_FIELDS:
        parts = [field.partition("=") for field in text.split("&") if field]
        return [(name, value) for name, _, value in parts]
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidRequest(f"The query string has more than {MAX_FIELDS} fields.") from None


def page_request(query: Mapping[str, str], fields: Iterable[QueryField] = ()) -> PageRequest:
    """The page that a query asks for: ``limit``, ``marker``, and the rest as filters.

    Args:
        fields: which of them have certain values only.

    Raises:
        InvalidRequest: the limit is no number, or out of range; or a value that a field never has.
    """
    filters = {name: value for name, value in query.items() if name not in _NOT_FILTERS}
    _require_values(filters, fields)
    limit = query.get("limit")
    if limit is None:
        return PageRequest(marker=query.get("marker"), filters=filters)
    if not (limit.isascii() and limit.isdigit() and len(limit) < 9):
        raise InvalidRequest(f"limit must be between 1 and {MAX_LIMIT}.")
    return PageRequest(int(limit), query.get("marker"), filters)


def receivers_request(query: Mapping[str, str], fields: Collection[QueryField]) -> PageRequest:
    """The receivers that a query asks for, as v1.6 and its clients have it.

    Without a limit, or with one below 1, it is all of them; a larger one than is possible is the
    largest. Fields that nothing is known of (``sort``, ``include``, ``name_ne``) are ignored.

    Args:
        fields: those that count.

    Raises:
        InvalidRequest: a value that a field never has.
    """
    known = known_values(query, fields)
    limit = query.get("limit", "")
    is_number = limit.isascii() and limit.isdigit() and int(limit[:9]) > 0
    most = min(int(limit[:9]), MAX_LIMIT) if is_number else WHOLE_LIST
    return PageRequest(most, query.get("marker"), known)


def known_values(query: Mapping[str, str], fields: Collection[QueryField]) -> dict[str, str]:
    """The fields that count.

    Raises:
        InvalidRequest: a value that a field never has.
    """
    names = {field.name for field in fields}
    known = {name: value for name, value in query.items() if name in names}
    _require_values(known, fields)
    return known


def _require_values(filters: Mapping[str, str], fields: Iterable[QueryField]) -> None:
    for field in fields:
        if field.values and filters.get(field.name) not in (None, *field.values):
            raise InvalidRequest(f"{field.name} must be one of {', '.join(field.values)}.")
