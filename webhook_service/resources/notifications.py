"""Notifications over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from webhook_service.model.execution import ExecutionState
from webhook_service.model.notice import Happened
from webhook_service.model.receiver import MAX_NAME
from webhook_service.resources.base import AnswerModel, RequestModel, absent
from webhook_service.resources.executions import AttemptResource

_KIND = "How they are told: `slack`, `mail` and others; the field `<kind>Config` goes with it."
_ON = "What is told: `succeeded`, `failed`, `rolledBack`, `held`, `drifted`, `refused`."
_VOTES = "Whether what is told of a held push brings a link to approve or refuse it. Owners set it."
_WHEN = "A CEL expression over `event`, `image` and `notice`; only what passes is told."


class NoticeResource(AnswerModel):
    """One happening that somebody is told of."""

    type: Literal["notice"]
    id: str
    notification: str = Field(description="The id of the notification that tells it.")
    happened: Happened
    about: str = Field(description="The id of the execution or delivery; empty for a test.")
    image: str = Field(description="Empty where there is none.")
    state: ExecutionState = Field(description="`failed` is the dead letter: replay it.")
    reason: str | None = Field(description="For programs.")
    message: str = Field(description="What the target said, or what is wrong.")
    replay_of: str | None = Field(description="The notice that it repeats.")
    created: datetime
    due: datetime | None = Field(description="When it is tried again.")
    finished: datetime | None
    attempts: list[AttemptResource] | None = absent("Missing in lists.")


class NotificationResource(AnswerModel):
    """Who is told of what happens in a project. Beside these fields it has `<kind>Config`."""

    model_config = ConfigDict(extra="allow")

    type: Literal["notification"]
    id: str
    name: str = Field(description="Its name, unique among the project's notifications.")
    kind: str = Field(description=_KIND)
    on: list[Happened] = Field(description=_ON)
    when: str | None = Field(description=_WHEN)
    votes: bool = Field(description=_VOTES)
    created: datetime
    updated: datetime
    last: NoticeResource | None = Field(description="Its newest notice; null if there is none.")

    @property
    def config(self) -> dict[str, Any]:
        """The config of its kind, with secrets hidden."""
        found: dict[str, Any] = (self.__pydantic_extra__ or {}).get(f"{self.kind}Config", {})
        return found


class NotificationRequest(RequestModel):
    """A notification to make. Beside these fields it has `<kind>Config`."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(min_length=1, max_length=MAX_NAME, description="A name for people.")
    kind: str = Field(description=_KIND)
    on: list[Happened] = Field(min_length=1, description=_ON)
    when: str | None = Field(default=None, description=_WHEN)
    votes: bool = Field(default=False, description=_VOTES)


class NotificationUpdate(RequestModel):
    """What to change about a notification. A config replaces the old one, but for its secrets."""

    model_config = ConfigDict(extra="allow")

    name: str | None = Field(default=None, max_length=MAX_NAME, description="A new name.")
    kind: str | None = Field(default=None, description=_KIND)
    on: list[Happened] | None = Field(default=None, min_length=1, description=_ON)
    when: str | None = Field(default=None, description=f"{_WHEN} Null removes it.")
    votes: bool | None = Field(default=None, description=_VOTES)
