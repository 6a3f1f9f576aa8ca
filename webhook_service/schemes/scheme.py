"""The contract of a verification scheme: it refuses a call, or lets it pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from webhook_service.model.delivery import Call
from webhook_service.model.receiver import HIDDEN


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
"""One secret, or two while senders change from the one to the other."""


class SchemeOptions(BaseModel):
    """What a receiver's ``verify`` may say beside ``scheme``; schemes add fields of their own."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """The JSON names of the fields that hold secrets: sealed at rest and never shown."""
        return frozenset(
            field.alias or name
            for name, field in cls.model_fields.items()
            if "SecretStr" in str(field.annotation)
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """How a scheme proves a call: for people, and for ``docs/formats.md``.

    Attributes:
        headers: what is looked at.
        algorithm: what is computed or compared, and over what.
        replay: what happens to a genuine call that somebody sends again.
    """

    headers: tuple[str, ...] = ()
    algorithm: str = ""
    replay: str = "passes; a duplicate by the format's identity alone"


OptionsT = TypeVar("OptionsT", bound=SchemeOptions, default=SchemeOptions)
Fetch = Callable[[str], bytes]
"""GETs a URL of another server: the body of a 200, or an exception for everything else."""
Others = Callable[[str], "Scheme[Any]"]
"""Gives another scheme of the service by its name; raises PluginUnavailable if there is none."""


class Scheme(ABC, Generic[OptionsT]):
    """One way to verify. An instance serves all receivers and is called from many threads.

    Attributes:
        computes_only: whether it waits for nothing, so that it may be called on an event loop.
    """

    Options: ClassVar[type[SchemeOptions]] = SchemeOptions
    proof: ClassVar[Proof] = Proof()
    computes_only: ClassVar[bool] = False

    @classmethod
    def create(cls, fetch: Fetch) -> Self:
        """The service's one instance; schemes that need keys from outside keep ``fetch``."""
        return cls()

    def secret_fields(self, options: Mapping[str, Any], others: Others) -> frozenset[str]:
        """The fields of a receiver's options that hold secrets: sealed at rest and never shown.

        Args:
            options: as they were written, not checked yet.
        """
        return self.Options.secret_fields()

    def bind(self, options: OptionsT, others: Others) -> Scheme[Any]:
        """The scheme as it checks one receiver's calls; asked for once, when it is saved.

        Args:
            others: for a scheme that hands calls on to others.

        Raises:
            InvalidConfig: the options name something that is not there.
        """
        return self

    @abstractmethod
    def check(self, call: Call, options: OptionsT) -> None:
        """Let a genuine call pass.

        Raises:
            Unauthenticated: the call is not proven genuine; the message reveals nothing.
            IssuerUnavailable: what proves it cannot be had now; the sender tries again.
        """

    def greet(self, call: Call, options: OptionsT) -> None:
        """Do what a sender asks for before it sends pushes; ``check`` has let this call pass.

        Called once per call and never in a simulation; it must bear repetition.

        Raises:
            IssuerUnavailable: it could not be done now; the sender tries again.
        """
        return None

    def message_id(self, call: Call, options: OptionsT) -> str | None:
        """What the sender names a call by, if the proof covers it; asked only after ``check``.

        A second call with the same id is a copy, also when it is replayed by somebody else.
        """
        return None
