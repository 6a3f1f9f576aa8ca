"""The contract of a verification scheme: it refuses a call, or lets it pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Generic

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from webhook_service.delivery import Call


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Secrets = Annotated[
    tuple[Annotated[SecretStr, Field(min_length=1, max_length=4096)], ...],
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


OptionsT = TypeVar("OptionsT", bound=SchemeOptions, default=SchemeOptions)


class Scheme(ABC, Generic[OptionsT]):
    """One way to verify. Instances hold no state."""

    Options: ClassVar[type[SchemeOptions]] = SchemeOptions

    @abstractmethod
    def check(self, call: Call, options: OptionsT) -> None:
        """Let a genuine call pass.

        Raises:
            Unauthenticated: the call is not proven genuine; the message reveals nothing.
        """
