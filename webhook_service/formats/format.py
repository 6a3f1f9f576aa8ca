"""The contract of a payload format: bytes and headers in, pushed images and dropped items out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from webhook_service.driver import PushEvent


class FormatOptions(BaseModel):
    """What a receiver's ``source`` may say beside ``format``; formats add fields of their own."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )

    registry: str | None = Field(
        default=None,
        max_length=255,
        description="Registry host to assume instead of the one the body names or implies.",
    )


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that is no deployable push: what it was, and a reason code."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """All that a body spoke of.

    Attributes:
        reply: JSON to answer with instead of the delivery, for senders that want to be
            answered before they send pushes (a handshake).
    """

    events: tuple[PushEvent, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    reply: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, items: Iterable[PushEvent | Dropped]) -> Parsed:
        """Sort events and dropped items, each in the body's order."""
        found = tuple(items)
        return cls(
            tuple(item for item in found if isinstance(item, PushEvent)),
            tuple(item for item in found if isinstance(item, Dropped)),
        )


@dataclass(frozen=True, slots=True)
class Sender:
    """What is known of who sends a format: for people, and for ``docs/formats.md``.

    Attributes:
        name: as its maker writes it.
        fields: what is read, in the sender's own words: the image first.
        verification: names of the schemes that fit, the best one first.
        identity: what two calls that report one push have in common.
        time: where the sender's time of the push is; without one the call's arrival counts.
        digest: where the pushed digest is.
        gaps: what the sender does not tell, or gets wrong.
        page: how to set it up, below ``docs``.
    """

    name: str = ""
    fields: tuple[str, ...] = ()
    verification: tuple[str, ...] = ()
    identity: str = "what was pushed, and the minute"
    time: str | None = None
    digest: str | None = None
    gaps: str = ""
    page: str = ""


OptionsT = TypeVar("OptionsT", bound=FormatOptions, default=FormatOptions)


class Format(ABC, Generic[OptionsT]):
    """One sender's payload shape. Instances hold no state."""

    Options: ClassVar[type[FormatOptions]] = FormatOptions
    sender: ClassVar[Sender] = Sender()

    @abstractmethod
    def parse(self, body: bytes, headers: Mapping[str, str], options: OptionsT) -> Parsed:
        """Read a body; deletes, pulls, pings and untagged pushes are dropped with their reason.

        Args:
            body: the raw bytes, at most 1 MiB.
            headers: of the call, with names in lower case.

        Raises:
            InvalidPayload: the body cannot be read, or is not of this format.
        """

    def home(self, options: OptionsT) -> str | None:
        """The registry that all pushes of this sender are in, if the body cannot choose it."""
        return options.registry

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        """Whether a call is this sender's, told by its shape and headers; for ``auto``.

        Args:
            body: the JSON value, or the fields of a form; of any type.
        """
        return False

    def bind(self, options: OptionsT, others: Mapping[str, type[Format[Any]]]) -> Format[Any]:
        """The format as it reads one receiver's calls; asked for once, when it is saved.

        Args:
            others: all installed formats, for one that hands calls on to them.

        Raises:
            InvalidConfig: the options name something that is not there.
        """
        return self
