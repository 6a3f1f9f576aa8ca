"""The contract of a verification scheme: it refuses a call, or lets it pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from webhook_service.delivery import Call


class SchemeOptions(BaseModel):
    """What a receiver's ``verify`` may say beside ``scheme``; schemes add fields of their own."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
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
