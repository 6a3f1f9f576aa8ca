"""How many people a receiver's pushes wait for."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from webhook_service.model.rules.part import Part

MAX_APPROVALS = 20
MAX_WITHIN = 90 * 86400


class ApprovalRule(Part):
    """The part ``approval`` of a receiver. A receiver without it asks nobody.

    A push is cancelled if fewer than ``count`` people approve it within ``withinSeconds``.
    """

    count: int = Field(
        default=1, strict=True, ge=1, le=MAX_APPROVALS, description="How many people must approve."
    )
    within_seconds: int = Field(
        default=86400,
        strict=True,
        ge=60,
        le=MAX_WITHIN,
        description="Seconds after which a push that was not approved is cancelled.",
    )

    def deadline(self, since: datetime) -> datetime:
        """The moment at which a push that arrived at ``since`` is cancelled."""
        return since + timedelta(seconds=self.within_seconds)
