"""Holds of a project over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from webhook_service.model.people.hold import MAX_WHY
from webhook_service.model.receiver import MAX_NAME
from webhook_service.resources.base import AnswerModel, RequestModel


class HoldResource(AnswerModel):
    """Why nothing of the project begins, and who said so."""

    type: Literal["hold"]
    id: str
    project_id: str
    name: str
    why: str
    by: str = Field(description="Who said it.")
    created: datetime


class HoldRequest(RequestModel):
    """A hold of the whole project."""

    name: str = Field(
        default="hold",
        min_length=1,
        max_length=MAX_NAME,
        description="Unique in the project: each hold is released on its own.",
    )
    why: str = Field(min_length=1, max_length=MAX_WHY, description="People see it.")
