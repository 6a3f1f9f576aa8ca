"""What a receiver asks of the registry before its driver runs."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from webhook_service.driver import field_title

MAX_PLATFORMS = 16
MAX_KEYS = 16 * 1024
MAX_IDENTITY = 1024
NEEDS_SIGSTORE = (
    "registry.cosignKeyless needs the extra sigstore: pip install 'webhook-service[sigstore]' "
    "where the service runs."
)
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


_MODEL = ConfigDict(
    alias_generator=to_camel,
    field_title_generator=field_title,
    populate_by_name=True,
    extra="forbid",
    frozen=True,
)


class KeylessSigner(BaseModel):
    """Who must have signed an image without a key of their own (cosign's keyless signing).

    A certificate names the signer: an ``identity``, and the ``issuer`` that logged it in. Of
    ``identity`` and ``identityRegexp``, which must fit the whole identity, one is set.
    """

    model_config = _MODEL

    identity: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_IDENTITY,
        description="the signer's mail address or URL, such as that of a workflow at a branch",
    )
    identity_regexp: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_IDENTITY,
        description="a pattern (RE2) that fits the whole identity",
    )
    issuer: str = Field(
        pattern=r"^https?://\S+$",
        max_length=MAX_IDENTITY,
        description="the OpenID Connect issuer that logged the signer in",
    )

    @model_validator(mode="after")
    def _check_identity(self) -> Self:
        if (self.identity is None) == (self.identity_regexp is None):
            raise ValueError("set identity or identityRegexp, and not both")
        return self


class RegistryRule(BaseModel):
    """The part ``registry`` of a receiver; without it nothing is asked.

    ``platforms`` are those that an image must offer, all of them. ``cosignKey`` is a public key
    in PEM, or several of which one must have signed, so that a key can be changed.
    ``cosignKeyless`` stands in its place where the signer has an identity instead of a key.
    """

    model_config = _MODEL

    resolve: bool = Field(
        default=True, description="pin the digest that the tag has at the registry"
    )
    platforms: tuple[Annotated[str, AfterValidator(_check_platform)], ...] = Field(
        default=(), max_length=MAX_PLATFORMS, description="what the image must run on"
    )
    cosign_key: Annotated[str, AfterValidator(_check_keys)] | None = Field(
        default=None, max_length=MAX_KEYS, description="public keys in PEM; one must have signed"
    )
    cosign_keyless: KeylessSigner | None = Field(
        default=None, description="who must have signed, where the signer has no key"
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
        if self.cosign_key and self.cosign_keyless:
            raise ValueError("set cosignKey or cosignKeyless, and not both")
        if not self.resolve and (self.platforms or self.cosign_key or self.cosign_keyless):
            raise ValueError(
                "platforms, cosignKey and cosignKeyless need resolve: a tag alone can change"
            )
        if not self.resolve and self.poll:
            raise ValueError("poll needs resolve: a late call could deploy the same image again")
        return self
