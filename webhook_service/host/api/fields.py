"""Small request bodies: their fields, checked."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, ValidationError
from pydantic.alias_generators import to_camel

from webhook_service.errors import InvalidRequest, UnknownField
from webhook_service.model.execution import ExecutionState
from webhook_service.model.replays import MAX_REPLAYS
from webhook_service.receiving.body import describe

M = TypeVar("M", bound=BaseModel)


class _Fields(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class ReplayFields(_Fields):
    """Of a replay of one execution."""

    as_of: StrictBool = False


class ReplayAllFields(ReplayFields):
    """Of a replay of all executions that a filter finds."""

    receiver: str | None = None
    state: ExecutionState = ExecutionState.FAILED
    reason: str | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: int = Field(default=MAX_REPLAYS, strict=True)
    dry_run: StrictBool = False


class RollbackFields(_Fields):
    """Of a rollback."""

    to: str | None = Field(default=None, max_length=1000)
    repository: str | None = Field(default=None, max_length=1000)


class NoFields(_Fields):
    """Of a request that needs no body."""


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
