"""The contract of a format: bytes and headers in, pushed images and dropped items out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from webhook_service.driver import PushEvent, field_title

MAX_SUBJECT = 500


class FormatOptions(BaseModel):
    """What a receiver's ``source`` may have beside ``format``. Each format adds its own fields."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=field_title,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    registry: str | None = Field(
        default=None,
        max_length=255,
        description="Registry host to assume instead of the one the body names or implies.",
    )


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that is no push to deploy: what it was, and the code of the reason.

    The subject is shown to people: it is cut, and what does not print becomes ``?``.
    """

    subject: str
    reason: str

    def __post_init__(self) -> None:
        cut = self.subject[:MAX_SUBJECT]
        shown = "".join(char if char.isprintable() else "?" for char in cut)
        object.__setattr__(self, "subject", shown)


@dataclass(frozen=True, slots=True)
class Parsed:
    """All items that a body reports.

    Attributes:
        events: the pushed images.
        dropped: the items that are no push to deploy.
        reply: a JSON answer, sent instead of the delivery. It is for senders that want an answer
            before they send pushes (a handshake).
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
    """What people should know of the sender; ``docs/formats.md`` shows it.

    Attributes:
        name: the name of the sender, as its maker writes it.
        fields: the fields that the format reads, in the sender's own words, the image first.
        verification: the names of the schemes that fit, the best one first.
        identity: what two calls that report the same push have in common.
        time: the field with the sender's time of the push; None if the arrival of the call counts.
        digest: the field with the pushed digest; None if there is none.
        gaps: what the sender does not report, or reports wrongly.
        page: the page below ``docs`` that says how to set the sender up.
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
    """Reads the calls of one sender. Instances hold no state."""

    contract: ClassVar[int] = 1
    Options: ClassVar[type[FormatOptions]] = FormatOptions
    sender: ClassVar[Sender] = Sender()

    @abstractmethod
    def parse(self, body: bytes, headers: Mapping[str, str], options: OptionsT) -> Parsed:
        """Read a body. Drop deletes, pulls, pings and untagged pushes, each with its reason.

        Args:
            body: the raw bytes, at most 1 MiB.
            headers: the headers of the call, with names in lower case.

        Raises:
            InvalidPayload: the body cannot be read, or is not of this format.
        """

    def home(self, options: OptionsT) -> str | None:
        """The registry of all pushes of this sender; None if the body can choose it."""
        return options.registry

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        """Whether a call looks like this sender's; the format ``auto`` asks for it.

        Args:
            body: the JSON value, or the fields of a form; it may have any type.
        """
        return False

    def bind(self, options: OptionsT, others: Mapping[str, type[Format[Any]]]) -> Format[Any]:
        """Return the format that reads the calls of one receiver; default: this instance.

        The service calls it once when the receiver is saved or loaded, not for each call.

        Args:
            others: all installed formats, for a format that hands calls on to them.

        Raises:
            InvalidConfig: the options name something that does not exist.
        """
        return self

    def hands_on_to(self) -> Iterable[Format[Any]]:
        """The formats that this one, once it is bound, hands calls on to."""
        return ()
