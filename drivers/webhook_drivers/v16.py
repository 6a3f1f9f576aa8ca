"""What Rancher 1.6 had inside driver configs, and how it told people of their mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from webhook_service import DriverConfig

MAX_SHOWN = 256
# In the schema alone: pydantic itself would warn whoever reads such a field, the drivers too.
DEPRECATED: JsonDict = {"deprecated": True}
AddressType = Literal["registry", "registry-internal", "registry-vpc"]


class LegacyConfig(DriverConfig):
    """The config of a driver that v1.6 had: what is wrong is said in v1.6's words, one by one."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_in_its_words(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and (problem := next(cls.problems(cls._said(given)), None)):
            raise ValueError(problem)
        return given

    @classmethod
    def problems(cls, said: Mapping[str, Any]) -> Iterator[str]:
        """What v1.6 would refuse, in its order.

        Args:
            said: the fields as they were sent, by their names here, with defaults; None without.
        """
        return iter(())

    @classmethod
    def _said(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        found = {}
        for name, field in cls.model_fields.items():
            default = None if field.is_required() else field.get_default()
            found[name] = given.get(field.alias or name, given.get(name, default))
        return found


class LegacyPush(DriverConfig):
    """Mixed into the configs of push drivers: v1.6's way to say ``source`` and ``match.tags``."""

    tag: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="v1.6's way to deploy one tag only: the same as match.tags, policy exact.",
        json_schema_extra=DEPRECATED,
    )
    payload_format: str | None = Field(
        default=None,
        min_length=1,
        description="v1.6's name of source.format.",
        json_schema_extra=DEPRECATED,
    )
    address_type: AddressType | None = Field(
        default=None,
        description="v1.6's name of source.addressType: the host of an Alibaba registry.",
        json_schema_extra=DEPRECATED,
    )

    def implied(self) -> Mapping[str, Any]:
        return implied_by(self.tag, self.payload_format, self.address_type)


def implied_by(
    tag: str | None, payload_format: str | None, address_type: str | None
) -> Mapping[str, Any]:
    """What v1.6's fields say about a receiver, as JSON of ``match`` and ``source``."""
    implied: dict[str, Any] = {}
    if tag:
        implied["match"] = {"tags": {"policy": "exact", "value": tag}}
    if payload_format:
        implied["source"] = {"format": payload_format}
        if payload_format == "alicloud" and address_type:
            implied["source"]["addressType"] = address_type
    return implied


def is_below_one(value: Any) -> bool:
    """Whether v1.6 would read this as zero or less; what is no number is for the schema to say."""
    return value is None or (isinstance(value, int) and value < 1)


def shown(value: Any) -> str:
    """What a caller sent, as messages may repeat it."""
    return str(value)[:MAX_SHOWN]
