"""The scheme ``hmac``: a signature over the body, for senders without a scheme of their own."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import (
    MAX_SIGNATURES,
    HeaderName,
    SecretOptions,
    any_same,
    header_of,
    keys_of,
    require,
)
from webhook_service.schemes.scheme import Proof, Scheme

Encoding = Literal["hex", "base64", "base64url"]


class HmacOptions(SecretOptions):
    """In which header the signature is, and how it is written."""

    header: HeaderName = Field(description="the header with the signature, or several by commas")
    hash: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Encoding = Field(default="hex", description="hex is in lower case")
    prefix: str = Field(
        default="",
        max_length=100,
        pattern=r"^[ -+\--~]*$",
        description="what stands before each signature, such as sha256=",
    )


class GenericHmac(Scheme[HmacOptions]):
    """An HMAC of the body, in a header that the receiver names."""

    Options = HmacOptions
    computes_only = True
    proof = Proof(
        headers=("the option `header`",),
        algorithm="HMAC-SHA1, -SHA256 or -SHA512 of the body",
    )

    def check(self, call: Call, options: HmacOptions) -> None:
        given = [part.strip() for part in header_of(call, options.header).split(b",")]
        expected = [
            options.prefix.encode() + text
            for key in keys_of(options.secret)
            for text in _texts(hmac.digest(key, call.body, options.hash), options.encoding)
        ]
        require(any_same(given[:MAX_SIGNATURES], expected))


def _texts(mac: bytes, encoding: Encoding) -> Iterator[bytes]:
    """How a sender may write the signature; base64url is in use with and without padding."""
    if encoding == "hex":
        yield mac.hex().encode()
    elif encoding == "base64":
        yield base64.b64encode(mac)
    else:
        yield base64.urlsafe_b64encode(mac)
        yield base64.urlsafe_b64encode(mac).rstrip(b"=")
