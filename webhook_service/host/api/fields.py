"""Small parts of requests, checked: the fields of a body, and If-Match."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from webhook_service.errors import InvalidRequest, UnknownField
from webhook_service.receiving.bodies.receiver import describe

M = TypeVar("M", bound=BaseModel)


def read_fields(model: type[M], body: Any) -> M:
    """The fields of a body.

    Raises:
        InvalidRequest: a field has a wrong value.
        UnknownField: the body has a field that is not one of the model's.
    """
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        kinds = {error["type"] for error in exc.errors(include_input=False, include_url=False)}
        refusal = UnknownField if kinds == {"extra_forbidden"} else InvalidRequest
        raise refusal(f"Bad request body: {describe(exc)}") from exc


def asked_version(request: Request) -> int | None:
    """The version that If-Match asks for: https://www.rfc-editor.org/rfc/rfc9110#name-if-match.

    Raises:
        InvalidRequest: it is no ETag of an answer.
    """
    asked = request.headers.get("if-match", "*").strip()
    if asked == "*":
        return None
    if not re.fullmatch(r'"[0-9]{1,18}"', asked):
        raise InvalidRequest('If-Match: must be the ETag of an answer, such as "3", or *.')
    return int(asked.strip('"'))


def asks_for_none(request: Request) -> bool:
    """Whether If-None-Match says that there must be nothing yet.

    https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match

    Raises:
        InvalidRequest: it says anything else.
    """
    asked = request.headers.get("if-none-match")
    if asked not in (None, "*"):
        raise InvalidRequest("If-None-Match: must be *, for a receiver that is not there yet.")
    return asked is not None
