"""API tokens and projects over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from webhook_service.model.people.tokens import MAX_NAME, Role
from webhook_service.resources.base import AnswerModel, RequestModel, absent


class TokenResource(AnswerModel):
    """An API token. Its secret is in one answer only: the one to its creation."""

    type: Literal["token"]
    id: str
    project_id: str
    role: Role
    name: str = Field(description="What it is for; may be empty.")
    created: datetime
    expires: datetime | None = Field(description="When it ends by itself.")
    used: datetime | None = Field(description="When it was last used, within five minutes.")
    revoked: datetime | None = Field(description="When somebody ended it.")
    token: str | None = absent("The secret, `wht_…`: keep it, it is never shown again.")


class TokenRequest(RequestModel):
    """A token to make."""

    role: Role = Field(description="What it may do.")
    name: str = Field(default="", max_length=MAX_NAME, description="What it is for.")
    expires: AwareDatetime | None = Field(
        default=None, description="When it ends, in the future; without it never."
    )


class ProjectResource(AnswerModel):
    """A project, and what it has."""

    type: Literal["project"]
    id: str
    receivers: int = Field(description="How many receivers it has.")
    tokens: int = Field(description="How many live API tokens it has.")
    open_executions: int = Field(description="How many executions have not ended.")
