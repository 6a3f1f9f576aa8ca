"""What all resources of the API have in common."""

from __future__ import annotations

from typing import Any, Generic, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from webhook_service.driver import field_title


def _is_none(value: object) -> bool:
    return value is None


def absent(description: str) -> Any:
    """A field that an answer may leave out; it is never null."""
    return Field(default=None, exclude_if=_is_none, description=description)


class ApiModel(BaseModel):
    """Base of all that goes over the wire.

    Answers may get new fields, which older clients ignore. Models are built when they are first
    used, not when a host starts.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=field_title,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        defer_build=True,
    )

    def as_json(self) -> dict[str, Any]:
        """The JSON object that is sent."""
        return self.model_dump(mode="json", by_alias=True)


class RequestModel(ApiModel):
    """Base of request bodies: a misspelled field is refused."""

    model_config = ConfigDict(extra="forbid")


class AnswerModel(ApiModel):
    """Base of answers that stand for an object: what it is, and where."""

    links: dict[str, str] = Field(description="URLs of this object and of those around it.")
    actions: dict[str, str] = Field(description="Empty; clients of Rancher 1.6 look for it.")


class IdResource(ApiModel):
    """Any object, of which only the id is read."""

    id: str


ItemT = TypeVar("ItemT", bound=ApiModel)


class PaginationResource(ApiModel):
    """Where the next page is."""

    limit: int = Field(description="How many objects this page has.")
    next: str = Field(description="The URL of the next page.")


class CollectionResource(ApiModel, Generic[ItemT]):
    """A page of objects, newest first."""

    type: Literal["collection"]
    resource_type: str = Field(description="The type of the objects.")
    data: list[ItemT]
    links: dict[str, str] = Field(description="`self`, and `next` if there is another page.")
    pagination: PaginationResource | None = absent("Missing on the last page.")

    @property
    def next(self) -> str | None:
        """The URL of the next page."""
        return None if self.pagination is None else self.pagination.next


class ErrorResource(AnswerModel):
    """Why a request was refused."""

    type: Literal["error"]
    status: str = Field(description="Always `Server Error`, as in Rancher 1.6: read `code`.")
    status_code: int = Field(description="The HTTP status.")
    code: str = Field(description="The reason, for programs.")
    message: str = Field(description="The reason, and what to do, for people.")


class VersionResource(AnswerModel):
    """Where everything is."""

    type: Literal["apiVersion"]
