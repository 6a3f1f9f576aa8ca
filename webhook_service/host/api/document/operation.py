"""Operations: what the OpenAPI document says of a route, beside the handler that it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from webhook_service.host.http.query import QueryField
from webhook_service.host.http.routes import Handler
from webhook_service.resources import ApiModel, RequestModel

H = TypeVar("H", bound=Callable[..., object])
_ATTRIBUTE = "operation"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        id: its name, for generated clients.
        answer: the model of a successful answer; None for an empty one.
        many: whether that is a collection of it.
        body: the model of the request body, or which of the two receiver bodies it is, which
            depend on the installed drivers.
        needs_body: whether a request without a body is refused.
        query: the fields of the query beside those that every operation of its scope has.
        scope: what the caller must be known for: a project, the service, or nothing. The
            version is for callers who name a project or have a token of one.
        statuses: of refusals beside those that every operation has.
        answers: successful and other statuses that have the model, not an error.
    """

    id: str
    answer: type[ApiModel] | None
    many: bool = False
    body: type[RequestModel] | Literal["create", "update", "call"] | None = None
    needs_body: bool = False
    query: tuple[QueryField, ...] = ()
    scope: Literal["project", "service", "version", "open"] = "project"
    statuses: tuple[int, ...] = ()
    answers: tuple[int, ...] = (200,)


def operation(found: Operation) -> Callable[[H], H]:
    """Say what a handler does; its docstring is the summary."""

    def mark(handler: H) -> H:
        handler.__dict__[_ATTRIBUTE] = found
        return handler

    return mark


def operation_of(handler: Handler) -> Operation | None:
    """What was said of a handler; None for what is no part of the document."""
    found = getattr(handler, _ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None


def pages(*filters: QueryField) -> tuple[QueryField, ...]:
    """The query of a list."""
    return (
        QueryField("limit", "How many objects a page has at most: 1 to 1000, by default 100."),
        QueryField("marker", "Where to go on: `links.next` of a page has it."),
        *filters,
    )
