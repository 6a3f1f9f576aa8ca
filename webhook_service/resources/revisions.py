"""Revisions over the wire: what a receiver has deployed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from webhook_service.resources.base import AnswerModel


class RevisionResource(AnswerModel):
    """One entry of a receiver's history."""

    type: Literal["revision"]
    id: str = Field(description="The execution's id.")
    image: str
    slot: str
    state: str = Field(description="How its execution ended, or where it stands.")
    live: bool = Field(description="Whether its image runs.")
    held: bool = Field(description="Whether it was rolled back: a replay does not deploy it.")
    standing: str | None = Field(
        description="Of the revision that should run: live, rolling, drifted or unknown."
    )
    note: str = Field(description="What runs instead and who set it, or why nobody knows.")
    changed: datetime | None = Field(description="When it first changed the target.")
    finished: datetime | None
    by: str | None = Field(description="Who asked for it, or who pushed.")
    rolls_back: str | None = Field(description="The push that it undid.")
    replay_of: str | None = Field(description="The execution that it repeated.")
