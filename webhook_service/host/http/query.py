"""Query strings: read once, refused when two readers could understand them differently."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection

from webhook_service.errors import InvalidRequest
from webhook_service.model.pages import MAX_LIMIT, PageRequest

_NOT_FILTERS = frozenset({"projectId", "limit", "marker"})


def read_query(request: HTTPConnection) -> dict[str, str]:
    """The fields of the query string.

    Raises:
        InvalidRequest: it, or the path, has a control character, or a field comes twice.
    """
    text = request.scope["query_string"].decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidRequest("The query string has a field twice.")
    if not all(name.isprintable() and value.isprintable() for name, value in pairs):
        raise InvalidRequest("The query string has a control character.")
    if not request.scope["path"].isprintable():
        raise InvalidRequest("The path has a control character.")
    return fields


def page_request(query: Mapping[str, str]) -> PageRequest:
    """The page that a query asks for: ``limit``, ``marker``, and the rest as filters.

    Raises:
        InvalidRequest: the limit is no number, or out of range.
    """
    filters = {name: value for name, value in query.items() if name not in _NOT_FILTERS}
    limit = query.get("limit")
    if limit is None:
        return PageRequest(marker=query.get("marker"), filters=filters)
    if not (limit.isascii() and limit.isdigit() and len(limit) < 9):
        raise InvalidRequest(f"limit must be between 1 and {MAX_LIMIT}.")
    return PageRequest(int(limit), query.get("marker"), filters)
