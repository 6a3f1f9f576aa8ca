"""The contract of a scheme: it lets a call pass, or refuses it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from webhook_service.driver import field_title
from webhook_service.model.delivery import Call
from webhook_service.model.receiver import HIDDEN
from webhook_service.model.secret_types import holds_secret


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _refuse_hidden(value: Any) -> Any:
    """Whoever has seen an answer knows the mark, so it must never become a secret."""
    if value == HIDDEN:
        raise ValueError(f"{HIDDEN} is what answers show; send every secret in full")
    return value


_Secret = Annotated[
    SecretStr, Field(min_length=1, max_length=4096), BeforeValidator(_refuse_hidden)
]

Secrets = Annotated[
    tuple[_Secret, ...],
    BeforeValidator(_as_list),
    Field(min_length=1, max_length=2),
]
"""One secret. While senders change it, two: the new one and the old one."""


class SchemeOptions(BaseModel):
    """What a receiver's ``verify`` may have beside ``scheme``. Each scheme adds its own fields."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=field_title,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """The JSON names of the fields with secrets. They are stored sealed, and never shown.

        A field with a secret somewhere inside is sealed and hidden as a whole.
        """
        return frozenset(
            field.alias or name
            for name, field in cls.model_fields.items()
            if holds_secret(field.annotation)
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """How a scheme proves a call: for people, and for ``docs/formats.md``.

    Attributes:
        headers: the headers that the scheme reads.
        algorithm: what the scheme computes or compares, and over what.
        replay: what happens when somebody sends a genuine call again.
    """

    headers: tuple[str, ...] = ()
    algorithm: str = ""
    replay: str = "passes; a duplicate by the format's identity alone"


OptionsT = TypeVar("OptionsT", bound=SchemeOptions, default=SchemeOptions)
Fetch = Callable[[str], bytes]
"""GETs a URL of another server. Returns the body of a 200; raises for any other answer."""
Others = Callable[[str], "Scheme[Any]"]
"""Returns a scheme of the service by its name; raises PluginUnavailable if there is none."""


class Scheme(ABC, Generic[OptionsT]):
    """One way to verify calls. One instance serves all receivers; many threads call it.

    Attributes:
        computes_only: true if the scheme only computes and never waits. The service calls those
            of its own on an event loop then; a scheme of others always gets a thread.
    """

    contract: ClassVar[int] = 1
    Options: ClassVar[type[SchemeOptions]] = SchemeOptions
    proof: ClassVar[Proof] = Proof()
    computes_only: ClassVar[bool] = False

    @classmethod
    def create(cls, fetch: Fetch) -> Self:
        """Make the service's one instance; keep ``fetch`` if keys come from other servers."""
        return cls()

    def secret_fields(self, options: Mapping[str, Any], others: Others) -> frozenset[str]:
        """The fields of a receiver's options with secrets. They are stored sealed, and never shown.

        Args:
            options: the options as somebody wrote them, not checked yet.
        """
        return self.Options.secret_fields()

    def bind(self, options: OptionsT, others: Others) -> Scheme[Any]:
        """Return the scheme that checks the calls of one receiver; default: this instance.

        The service calls it once when the receiver is saved or loaded, not for each call.

        Args:
            others: gives other schemes, for a scheme that hands calls on to them.

        Raises:
            InvalidConfig: the options name something that does not exist.
        """
        return self

    @abstractmethod
    def check(self, call: Call, options: OptionsT) -> None:
        """Return if the call is genuine.

        Raises:
            Unauthenticated: the call is not proven genuine; the message must reveal nothing.
            IssuerUnavailable: what proves the call cannot be fetched now; the sender tries again.
        """

    def greet(self, call: Call, options: OptionsT) -> None:
        """Answer a handshake: do what the sender asks for before it sends pushes.

        The service calls it once per call, after ``check`` has passed, and never in a simulation.
        It must do no harm when the same call comes again.

        Raises:
            IssuerUnavailable: it cannot be done now; the sender tries again.
        """
        return None

    def message_id(self, call: Call, options: OptionsT) -> str | None:
        """The sender's id of a call, if the proof covers that id; None if not.

        The service asks for it only after ``check`` has passed. A second call with the same id is
        a copy, even if somebody else sends it.
        """
        return None
