"""Notifications: who is told of what happens in a project, and how.

Each notice is an execution, of a project that no tenant can have: that of the notification with a
slash at its end. So nothing that lists, counts or limits a project's own work sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field, field_validator

from webhook_service.errors import InvalidConfig
from webhook_service.model.execution import Execution
from webhook_service.model.notice import Happened
from webhook_service.model.receiver import MAX_NAME, config_field
from webhook_service.model.rules.part import Part

NOTIFICATION = "ntf"
NOTIFY = "notify"
"""The driver of notices, which no receiver can name."""
MAX_PROJECT = 254
ON = tuple(each for each in Happened if each is not Happened.TEST)


class NotificationSpec(Part):
    """A notification as people describe it.

    Attributes:
        on: what it tells of.
        when: a CEL expression; only what it is true for is told.
        votes: whether what is told of a held push brings a link to vote.
        config: the part of its kind, with secrets hidden.
        secret_config: the whole config, if it has secrets.
    """

    name: str = Field(min_length=1, max_length=MAX_NAME)
    kind: str
    on: tuple[Happened, ...] = Field(min_length=1, max_length=len(ON))
    when: str | None = None
    votes: bool = Field(default=False, strict=True)
    config: dict[str, Any] = Field(default_factory=dict)
    secret_config: dict[str, Any] | None = Field(default=None, exclude=True, repr=False)

    @field_validator("on", mode="before")
    @classmethod
    def _can_be_told(cls, on: Any) -> Any:
        # Before Pydantic looks: it would offer "test", too.
        if isinstance(on, list | tuple) and any(each not in ON for each in on):
            raise ValueError(f"can have {', '.join(ON)}")
        return on

    @field_validator("on")
    @classmethod
    def _each_once(cls, on: tuple[Happened, ...]) -> tuple[Happened, ...]:
        return tuple(dict.fromkeys(on))

    @property
    def full_config(self) -> dict[str, Any]:
        """The config that the kind is given."""
        return self.config if self.secret_config is None else self.secret_config

    @property
    def voter(self) -> str:
        """The voter's name of all votes that come by this notification's links."""
        return f"notification {self.name}"[:MAX_NAME]


@dataclass(frozen=True, slots=True)
class Notification:
    """A stored notification. ``version`` grows with every update."""

    id: str
    project: str
    spec: NotificationSpec
    created: datetime
    updated: datetime
    version: int = 1

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class NoticeSent:
    """A notice as it stands: the execution that brings it, and what it tells."""

    execution: Execution
    happened: Happened
    image: str
    about: str


def is_notification(id_: str) -> bool:
    """Whether an execution of the owner with this id is a notice."""
    return id_.startswith(f"{NOTIFICATION}_")


def notices_of(project: str) -> str:
    """The project in which a project's notices run."""
    return f"{project}/"


def owner_of(project: str) -> str:
    """The tenant's project, also of the project of its notices."""
    return project.removesuffix("/")


def is_of_notices(project: str) -> bool:
    """Whether a project is one of notices. No tenant's id ends so."""
    return project.endswith("/")


def require_room_for_notices(project: str) -> None:
    """
    Raises:
        InvalidConfig: the project's id is too long for the notices' own.
    """
    if len(project) > MAX_PROJECT:
        raise InvalidConfig(
            f"A project whose id has more than {MAX_PROJECT} characters cannot have notifications."
        )


def notification_as_json(spec: NotificationSpec) -> Mapping[str, Any]:
    """A notification's JSON as its owner wrote it, with its secrets hidden."""
    found = spec.model_dump(mode="json", by_alias=True)
    found[config_field(spec.kind)] = found.pop("config")
    return {name: value for name, value in found.items() if value not in (None, False)}
