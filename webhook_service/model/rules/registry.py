"""What a receiver asks of the registry before its driver runs."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from webhook_service.driver import field_title

MAX_PLATFORMS = 16
MAX_KEYS = 16 * 1024
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?")


def _check_platform(text: str) -> str:
    if len(text) > 64 or not _PLATFORM.fullmatch(text):
        raise ValueError("must be os/architecture or os/architecture/variant, such as linux/amd64")
    return text


def _check_keys(text: str) -> str:
    # Here, so that a receiver without keys does not wait for cryptography to load.
    from webhook_service.model.public_keys import read_keys

    read_keys(text)
    return text


class RegistryRule(BaseModel):
    """The part ``registry`` of a receiver; without it nothing is asked.

    ``platforms`` are those that an image must offer, all of them. ``cosignKey`` is a public key
    in PEM, or several of which one must have signed, so that a key can be changed.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=field_title,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    resolve: bool = Field(
        default=True, description="pin the digest that the tag has at the registry"
    )
    platforms: tuple[Annotated[str, AfterValidator(_check_platform)], ...] = Field(
        default=(), max_length=MAX_PLATFORMS, description="what the image must run on"
    )
    cosign_key: Annotated[str, AfterValidator(_check_keys)] | None = Field(
        default=None, max_length=MAX_KEYS, description="public keys in PEM; one must have signed"
    )

    poll: int | None = Field(
        default=None,
        strict=True,
        ge=60,
        le=7 * 86400,
        description="seconds between looks for pushes whose call was lost",
    )

    @model_validator(mode="after")
    def _check_resolve(self) -> Self:
        if not self.resolve and (self.platforms or self.cosign_key):
            raise ValueError("platforms and cosignKey need resolve: a tag alone can change")
        if not self.resolve and self.poll:
            raise ValueError("poll needs resolve: a late call could deploy the same image again")
        return self
