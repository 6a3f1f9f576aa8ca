"""The audit over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from webhook_service.model.people.audit import AuditAction
from webhook_service.resources.base import AnswerModel, ApiModel


class FieldChangeResource(ApiModel):
    """A field before and after; null where there was none."""

    field: str = Field(description="Such as `match.tags.value`.")
    before: Any
    after: Any


class AuditEntryResource(AnswerModel):
    """What one person did at one moment."""

    type: Literal["auditEntry"]
    id: str
    project_id: str
    at: datetime
    actor: str
    via: Literal["api", "cli", "console", "link", "application", "target"]
    address: str = Field(description="Where the person was.")
    action: AuditAction
    subject: str = Field(description="The id of what it was done to.")
    receiver: str | None
    changes: list[FieldChangeResource]
