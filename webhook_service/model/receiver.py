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

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.model.rules.part import Part
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


_LABEL = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
LabelName = Annotated[str, Field(pattern=rf"^([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL}$")]
LabelValue = Annotated[str, Field(pattern=rf"^({_LABEL})?$")]
"""Both as in Kubernetes.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""


class Source(Part):
    """The sender: its payload format, and the options of that format beside it."""

    model_config = ConfigDict(extra="allow")

    format: str = Field(default="dockerhub", description="The payload format, by name.")

    @property
    def options(self) -> dict[str, Any]:
        return self.__pydantic_extra__ or {}


class Verify(Part):
    """How a call is proven genuine: a scheme, and the options of that scheme beside it.

    Attributes:
        secrets: the options that are sealed at rest, and that no answer shows.
    """

    model_config = ConfigDict(extra="allow")

    scheme: str = Field(default="none", description="The scheme, by name.")
    secrets: SkipJsonSchema[dict[str, Any]] = Field(default_factory=dict, exclude=True, repr=False)

    @property
    def options(self) -> dict[str, Any]:
        return {**(self.__pydantic_extra__ or {}), **self.secrets}


class TagRule(Part):
    """Which tags pass: a policy and its value, and globs beside it."""

    policy: str = Field(default="any", description="How tags are compared, by name.")
    value: str | None = Field(
        default=None, max_length=256, description="What the policy compares tags with."
    )
    variant: str | None = Field(
        default=None,
        max_length=128,
        description="The text that must follow the version, such as -alpine (semver and newer).",
    )
    pre_releases: bool = Field(
        default=False, description="Whether versions such as 1.2.0-rc1 pass (semver and newer)."
    )
    include: tuple[str, ...] = Field(
        default=(), max_length=MAX_GLOBS, description="Globs of which a tag must match one."
    )
    exclude: tuple[str, ...] = Field(
        default=(), max_length=MAX_GLOBS, description="Globs of which a tag must match none."
    )


class Freeze(Part):
    """A window in which nothing is changed: when it starts, and how long it lasts."""

    cron: str = Field(
        min_length=1, max_length=100, description="When it starts: five fields, as in a crontab."
    )
    minutes: int = Field(
        strict=True, ge=1, le=MAX_FREEZE_MINUTES, description="How long each one lasts."
    )
    time_zone: str = Field(
        default="UTC",
        min_length=1,
        max_length=64,
        description="The zone that cron is read in, such as Europe/Berlin.",
    )


class After(Part):
    """Another receiver must have run the image well before this one takes it."""

    receiver: str = Field(
        min_length=1, max_length=MAX_NAME, description="The other receiver of the project, by name."
    )
    succeeded_for: Span = Field(
        default="0s",
        description="How long the image must have run there: 90s, 30m, 2h or 3d.",
    )

    @property
    def span(self) -> timedelta:
        return read_span(self.succeeded_for)


class Match(Part):
    """Which pushes a receiver takes.

    Without repositories it takes only images that its target runs already.
    """

    repositories: tuple[str, ...] = Field(
        default=(),
        max_length=MAX_REPOSITORIES,
        description="Names or globs; without them, only what the target runs already.",
    )
    mirrors: dict[str, str] = Field(
        default_factory=dict,
        max_length=MAX_MIRRORS,
        description=(
            "The names under which targets pull what was pushed: a registry, or a registry with "
            "the beginning of a path, and what stands in its place."
        ),
    )
    tags: TagRule = Field(default=TagRule(), description="Which tags pass.")
    digests: Literal["any", "required"] = Field(
        default="any", description="With `required`, a push without a digest is ignored."
    )
    when: str | None = Field(
        default=None, description="A CEL expression that must be true for the push."
    )
    freeze: tuple[Freeze, ...] = Field(
        default=(), max_length=MAX_FREEZES, description="Windows in which pushes wait."
    )
    after: After | None = Field(
        default=None, description="Another receiver that must have run the image well before."
    )
    minimum_age: Span | None = Field(
        default=None, description="How old an image must be before it is deployed: 90s, 2h or 3d."
    )


class Listen(Part):
    """Where a receiver's pushes come from: its own URL, inboxes of its project, or both."""

    inboxes: tuple[str, ...] = Field(
        default=(), max_length=MAX_INBOXES, description="Inboxes of the project, by name."
    )
    own_url: bool = Field(default=True, description="Whether it has a URL of its own too.")


class ReceiverSpec(Part):
    """A receiver as people describe it.

    Attributes:
        config: the driver's own part, with secrets hidden.
        secret_config: the whole config, if it has secrets.
        labels: what the receiver belongs to, for people who look after many of them.
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
