"""How many people a receiver's pushes wait for."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from webhook_service.driver import field_title

MAX_APPROVALS = 20
MAX_WITHIN = 90 * 86400


class ApprovalRule(BaseModel):
    """The part ``approval`` of a receiver; without it nobody is asked.

    A push that is not approved by ``count`` people within so many seconds is cancelled.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=field_title,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    count: int = Field(default=1, strict=True, ge=1, le=MAX_APPROVALS)
    within_seconds: int = Field(default=86400, strict=True, ge=60, le=MAX_WITHIN)

    def deadline(self, since: datetime) -> datetime:
        """When it is too late to approve a push of that moment."""
        return since + timedelta(seconds=self.within_seconds)
