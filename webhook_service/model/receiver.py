"""Receivers: what a project says should happen on a push, and how it reads as JSON.

The JSON is v1.6's (``name``, ``driver``, ``<driver>Config``) with optional parts of the core:
``listen``, ``source``, ``match``, ``verify``, ``respond`` and others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from webhook_service.driver import field_title
from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.model.spans import Span, read_span

MAX_NAME = 255
MAX_REPOSITORIES = 100
MAX_GLOBS = 20
MAX_MIRRORS = 20
MAX_INBOXES = 20
MAX_LABELS = 64
MAX_FREEZES = 10
MAX_FREEZE_MINUTES = 31 * 24 * 60
HIDDEN = "********"
"""What answers show of a secret; sent back, it means the secret that is stored."""


class ReceiverState(StrEnum):
    """A suspended receiver records its calls as ignored and runs nothing."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Respond(StrEnum):
    """What the answer to a call waits for: that it is stored, or what came of it."""

    ACCEPTED = "accepted"
    OUTCOME = "outcome"


class Part(BaseModel):
    """A part of what is configured: JSON names, and no field that nobody knows."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=field_title,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )


_LABEL = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
LabelName = Annotated[str, Field(pattern=rf"^([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL}$")]
LabelValue = Annotated[str, Field(pattern=rf"^({_LABEL})?$")]
"""Both as in Kubernetes.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""


class Source(Part):
    """The sender: a payload format by name, and that format's own options beside it."""

    model_config = ConfigDict(extra="allow")

    format: str = "dockerhub"

    @property
    def options(self) -> dict[str, Any]:
        return self.__pydantic_extra__ or {}


class Verify(Part):
    """How a call is proven genuine: a scheme by name, and its own options beside it.

    ``secrets`` are those options that no answer shows and that are sealed at rest.
    """

    model_config = ConfigDict(extra="allow")

    scheme: str = "none"
    secrets: SkipJsonSchema[dict[str, Any]] = Field(default_factory=dict, exclude=True, repr=False)

    @property
    def options(self) -> dict[str, Any]:
        return {**(self.__pydantic_extra__ or {}), **self.secrets}


class TagRule(Part):
    """Which tags pass: a policy and its value, and globs beside it.

    ``variant`` and ``pre_releases`` are for the policies that read versions (``semver`` and
    ``newer``): the text that must follow the version, and whether ``-rc1`` and its like pass.
    """

    policy: str = "any"
    value: str | None = Field(default=None, max_length=256)
    variant: str | None = Field(default=None, max_length=128)
    pre_releases: bool = False
    include: tuple[str, ...] = Field(default=(), max_length=MAX_GLOBS)
    exclude: tuple[str, ...] = Field(default=(), max_length=MAX_GLOBS)


class Freeze(Part):
    """A window in which nothing is changed: when it starts, and how long it lasts."""

    cron: str = Field(min_length=1, max_length=100)
    minutes: int = Field(strict=True, ge=1, le=MAX_FREEZE_MINUTES)
    time_zone: str = Field(default="UTC", min_length=1, max_length=64)


class After(Part):
    """Another receiver of the project, and for how long it is to run an image well before this one.

    ``succeeded_for`` is a span: ``90s``, ``30m``, ``2h`` or ``3d``.
    """

    receiver: str = Field(min_length=1, max_length=MAX_NAME)
    succeeded_for: Span = "0s"

    @property
    def span(self) -> timedelta:
        return read_span(self.succeeded_for)


class Match(Part):
    """Which pushes pass; without repositories, only those that the target runs already.

    ``mirrors`` say under which names targets pull what was pushed: a registry, or a registry with
    the beginning of a path, and what stands instead of it. ``minimum_age`` is a span such as
    ``72h``: how old an image is to be before it is deployed.
    """

    repositories: tuple[str, ...] = Field(default=(), max_length=MAX_REPOSITORIES)
    mirrors: dict[str, str] = Field(default_factory=dict, max_length=MAX_MIRRORS)
    tags: TagRule = TagRule()
    digests: Literal["any", "required"] = "any"
    when: str | None = None
    freeze: tuple[Freeze, ...] = Field(default=(), max_length=MAX_FREEZES)
    after: After | None = None
    minimum_age: Span | None = None


class Listen(Part):
    """Where a receiver's pushes come from: its own URL, inboxes of its project by name, or both.

    ``own_url`` says whether it has a URL of its own.
    """

    inboxes: tuple[str, ...] = Field(default=(), max_length=MAX_INBOXES)
    own_url: bool = True


class ReceiverSpec(Part):
    """What a caller says of a receiver; ``config`` is the driver's own part.

    ``labels`` say what it belongs to, for those who look after many receivers.

    Where that holds secrets, ``config`` hides them, and ``secret_config`` is the whole of it.
    """

    name: str = Field(min_length=1, max_length=MAX_NAME)
    labels: dict[LabelName, LabelValue] = Field(default_factory=dict, max_length=MAX_LABELS)
    driver: str
    config: dict[str, Any] = Field(default_factory=dict)
    secret_config: dict[str, Any] | None = Field(default=None, exclude=True, repr=False)
    listen: Listen = Listen()
    source: Source = Source()
    match: Match = Match()
    verify: Verify = Verify()
    registry: RegistryRule | None = None
    approval: ApprovalRule | None = None
    respond: Respond = Respond.ACCEPTED
    state: ReceiverState = ReceiverState.ACTIVE

    @property
    def full_config(self) -> dict[str, Any]:
        """The config that the driver is given."""
        return self.config if self.secret_config is None else self.secret_config


@dataclass(frozen=True, slots=True)
class Receiver:
    """A stored receiver. ``version`` grows with every update."""

    id: str
    project: str
    spec: ReceiverSpec
    created: datetime
    updated: datetime
    version: int = 1

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def suspended(self) -> bool:
        return self.spec.state is ReceiverState.SUSPENDED


@dataclass(frozen=True, slots=True)
class ReceiverKey:
    """One live endpoint key of a receiver; an old one ``expires`` at the end of its overlap."""

    receiver: str
    key: str
    created: datetime
    expires: datetime | None = None


def config_field(driver: str) -> str:
    """The JSON field that holds a driver's config: ``<driver>Config``."""
    return f"{driver}Config"


def as_json(spec: ReceiverSpec) -> Mapping[str, Any]:
    """The part of a receiver's JSON that its owner wrote, with its secrets hidden."""
    parts = spec.model_dump(mode="json", by_alias=True, exclude={"config"})
    parts["verify"] |= dict.fromkeys(spec.verify.secrets, HIDDEN)
    return {**parts, config_field(spec.driver): dict(spec.config)}
