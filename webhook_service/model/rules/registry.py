"""What a receiver asks of the registry before its driver runs."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from webhook_service.model.rules.part import Part

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


class KeylessSigner(Part):
    """The identity that must have signed an image (cosign's keyless signing).

    A certificate names the signer by an ``identity``, and the ``issuer`` at which it logged in.
    Set either ``identity``, or ``identityRegexp``, which must match the whole identity.
    """

    identity: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_IDENTITY,
        description="The signer's mail address or URL, such as that of a workflow at a branch.",
    )
    identity_regexp: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_IDENTITY,
        description="A pattern (RE2) that fits the whole identity.",
    )
    issuer: str = Field(
        pattern=r"^https?://\S+$",
        max_length=MAX_IDENTITY,
        description="The OpenID Connect issuer that logged the signer in.",
    )

    @model_validator(mode="after")
    def _check_identity(self) -> Self:
        if (self.identity is None) == (self.identity_regexp is None):
            raise ValueError("set identity or identityRegexp, and not both")
        return self


class RegistryRule(Part):
    """The part ``registry`` of a receiver. Without it the registry is not asked.

    ``cosign_key`` may hold several keys, so that a key can be changed.
    """

    resolve: bool = Field(
        default=True, description="Pin the digest that the tag has at the registry."
    )
    platforms: tuple[Annotated[str, AfterValidator(_check_platform)], ...] = Field(
        default=(), max_length=MAX_PLATFORMS, description="What the image must run on."
    )
    cosign_key: Annotated[str, AfterValidator(_check_keys)] | None = Field(
        default=None, max_length=MAX_KEYS, description="Public keys in PEM; one must have signed."
    )
    cosign_keyless: KeylessSigner | None = Field(
        default=None, description="Who must have signed, where the signer has no key."
    )
    poll: int | None = Field(
        default=None,
        strict=True,
        ge=60,
        le=7 * 86400,
        description="Seconds between looks for pushes whose call was lost.",
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
