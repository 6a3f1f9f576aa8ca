"""Inboxes over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from webhook_service.model.receiver import MAX_NAME, Source, Verify
from webhook_service.resources.base import AnswerModel, ApiModel, RequestModel, absent


class ListenerResource(ApiModel):
    """A receiver that listens to an inbox."""

    id: str
    name: str


class InboxResource(AnswerModel):
    """One URL for many receivers."""

    type: Literal["inbox"]
    id: str
    name: str = Field(description="Its name, unique among the project's inboxes.")
    source: Source = Field(description="Who calls, and how the call is read.")
    verify: Verify = Field(description="How a call is proven genuine; secrets are hidden.")
    receivers: list[ListenerResource] = Field(description="Those that listen to it, by name.")
    created: datetime
    updated: datetime
    problem: str | None = Field(description="Why it cannot take calls; null if it can.")
    url: str | None = absent("Where the sender calls. Callers who may only look do not get it.")


class InboxRequest(RequestModel):
    """An inbox to make."""

    name: str = Field(
        min_length=1,
        max_length=MAX_NAME,
        description="Receivers name it in `listen.inboxes`; it cannot be changed.",
    )
    source: Source = Field(description="Who calls.")
    verify: Verify = Field(
        description="How a call is proven genuine; the scheme `none` relies on the secrecy of the "
        "URL alone."
    )


class InboxUpdate(RequestModel):
    """What to change about an inbox: objects merge field by field."""

    name: str | None = Field(default=None, description="The name that it has.")
    source: Source | None = Field(default=None, description="Who calls.")
    verify: Verify | None = Field(default=None, description="How a call is proven genuine.")
