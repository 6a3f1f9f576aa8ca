"""The driver contract: all that the author of a driver has to read.

A driver is one module: a config class and a ``WebhookDriver`` subclass, registered as an entry
point of the group ``webhook_service.drivers``; its name is the name of the driver in receivers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from webhook_service.errors import Change
from webhook_service.images import Image

_PRIVATE = frozenset(
    "authorization connection content-length cookie cookie2 expect forwarded host keep-alive te "
    "trailer transfer-encoding upgrade via x-real-ip".split()
)
_PRIVATE_PREFIXES = ("proxy-", "x-api-", "x-forwarded-", "set-cookie")


Secret = Annotated[SecretStr, Field(min_length=1, max_length=4096)]
"""A field of a config that holds a secret, of 1 to 4,096 characters.

The service stores it sealed, shows ``********`` in its place, and keeps it when an update leaves it
out. The driver reads it with ``get_secret_value()``. Any field with pydantic's ``SecretStr`` is
treated so, also in nested models, lists and optional fields."""


class DriverConfig(BaseModel):
    """Base of driver configs: validation, JSON Schema, forms and docs come from the fields.

    A field with a secret has the type ``Secret``.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )

    def implied(self) -> Mapping[str, Any]:
        """What this config says about the receiver's ``source`` and ``match``, as their JSON."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushEvent:
    """One pushed image. ``pushed_at`` is the sender's time, ``source_id`` the sender's id."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None
    media_type: str | None = None
    pushed_at: datetime | None = None
    actor: str | None = None
    source_id: str | None = None

    @property
    def reference(self) -> Image:
        return Image(self.registry, self.repository, self.tag, self.digest)

    @property
    def image(self) -> str:
        """The full reference: ``docker.io/acme/shop:1.2.3[@sha256:…]``."""
        return str(self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The raw call, for drivers with ``consumes = Request``.

    ``headers``, with names in lower case, are those that say what the body is, and those that the
    driver asks for (``WebhookDriver.headers``). The query has no key and no project.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


def is_private_header(name: str) -> bool:
    """Whether a header belongs to the caller, its proxies or the connection, and to no driver."""
    return name.lower().startswith(_PRIVATE_PREFIXES) or name.lower() in _PRIVATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a call of a driver comes from. Tests use ``testing.sample_context``.

    Attributes:
        identity: names the push; a duplicate and a replay of it have the same.
        order_key: sorts pushes to one slot as text, the newest highest.
        named: whether the receiver names the pushed repository, registry included; if not, a
            driver may only touch what runs that repository already.
        attempt: counts from 1; ``state`` is what the last ``Wait`` carried.
        shared: whether other projects use the service too; a driver then touches only what the
            operator has granted to this one.
        rolls_back: the identity of a push that this execution undoes, at the wish of people; the
            driver remembers it on the target, so that the same push is not deployed again.
    """

    project: str
    receiver: str
    delivery: str
    execution: str
    identity: str
    order_key: str
    named: bool
    attempt: int
    shared: bool
    state: Mapping[str, Any] = field(default_factory=dict)
    rolls_back: str = ""

    @classmethod
    def without_execution(
        cls,
        project: str,
        receiver: str,
        *,
        shared: bool,
        identity: str = "",
        named: bool = False,
    ) -> Self:
        """For ``validate`` and ``plan``: nothing was delivered, and nothing is executed."""
        return cls(
            project=project,
            receiver=receiver,
            delivery="",
            execution="",
            identity=identity,
            order_key="",
            named=named,
            attempt=0,
            shared=shared,
        )


@dataclass(frozen=True, slots=True)
class Done:
    """The change is complete and verified."""

    changes: tuple[Change, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing had to be done; ``reason`` is shown to people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The driver is not done yet: the engine calls ``execute`` again.

    Attributes:
        after: seconds until that call; the engine keeps them between 0.05 and 3,600.
        state: what the next call gets as ``context.state``: JSON of at most 256 KiB.
        message: what people see meanwhile.
        changes: what was changed so far.
        settled: the change is complete and verified, and only tidying up is left. A newer push to
            the slot does not wait for it; it ends this execution as succeeded.

    All waits and steps of an execution together may take ``WEBHOOK_SERVICE_ROLLOUT_SECONDS``, a day
    by default; then it fails as ``waited_too_long``. Give up earlier where you know better.
    """

    after: float
    state: Mapping[str, Any]
    message: str = ""
    changes: tuple[Change, ...] = ()
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``execute`` would change now, for a dry run."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


Outcome = Done | Unchanged | Wait
ConfigT = TypeVar("ConfigT", bound=DriverConfig)
EventT = TypeVar("EventT", PushEvent, Request, default=PushEvent)


class WebhookDriver(ABC, Generic[ConfigT, EventT]):
    """One kind of action. An instance serves all receivers and is called from many threads."""

    Config: ClassVar[type[DriverConfig]] = DriverConfig
    consumes: ClassVar[type[PushEvent] | type[Request]] = PushEvent

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        """``options`` are deployment-wide settings, such as ``kubeconfig`` and ``clusters``."""
        self.options: Mapping[str, Any] = options or {}

    def validate(self, config: ConfigT, context: Context) -> None:
        """Check a config against the live system, before its receiver is stored. Change nothing.

        Raises:
            InvalidConfig: the config cannot work; say what to change.
        """
        return None

    def slot(self, config: ConfigT, event: EventT) -> str:
        """Name what this push changes: pushes to one slot run one at a time, the newest last.

        It is called for every push while the call is answered, and must only compute: if it
        raises, the call is answered 503, and nothing is stored. A slot has at most 1,500 bytes of
        UTF-8 without NUL. The default, "", is one slot for the whole receiver.
        """
        return ""

    def headers(self, config: ConfigT) -> Collection[str]:
        """Name the headers that a driver of raw calls needs, such as ``x-github-event``.

        It never gets credentials, or what proxies and HTTP itself add (``is_private_header``).
        """
        return ()

    def targets(self, config: ConfigT, context: Context) -> tuple[str, ...]:
        """Name what pushes may change, as ``cluster/namespace/kind/name``; pure. Default: nothing.

        ``*`` in a place means everything there. By these names the service finds the receivers
        that change what an approved receiver changes, and tells operators of missing grants.
        """
        return ()

    def running(self, config: ConfigT, event: EventT, context: Context) -> tuple[str, ...]:
        """The tags of the pushed repository that run now, for the tag policy ``newer``."""
        return ()

    def plan(self, config: ConfigT, event: EventT, context: Context) -> Plan:
        """Say what ``execute`` would change now, and change nothing."""
        return Plan(notes=("This driver cannot tell in advance what it would change.",))

    @abstractmethod
    def execute(self, config: ConfigT, event: EventT, context: Context) -> Outcome:
        """Do one short step: read the live state, do what is missing, and return within 30 s.

        The engine may call it again after a crash at any point, so a step that was done already
        must do no harm.

        Raises:
            Retry: a fault that will pass; the engine calls again after a growing pause.
            TargetConflict: the live object is not what the push may change.
            Superseded: the target runs a newer push already.
            DriverError: the driver gives up; the execution ends as failed with its message.
        """

    def close(self) -> None:
        """Release connections; the service calls it once when it stops."""
        return None
