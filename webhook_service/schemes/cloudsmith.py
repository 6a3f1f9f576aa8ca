"""The scheme ``cloudsmith``: Cloudsmith's signature over the body.

docs.cloudsmith.com, "Webhooks": ``X-Cloudsmith-Signature`` is the HMAC-SHA1 of the body. The
documentation shows no prefix; receivers in use find ``sha1=`` before the hexadecimal digits. The
collisions of SHA-1 do not weaken an HMAC.
"""

from __future__ import annotations

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import (
    SecretOptions,
    any_same,
    header_of,
    hex_macs,
    require,
)
from webhook_service.schemes.scheme import Proof, Scheme


class Cloudsmith(Scheme[SecretOptions]):
    """The HMAC-SHA1 of the body in ``X-Cloudsmith-Signature``."""

    Options = SecretOptions
    computes_only = True
    proof = Proof(
        headers=("X-Cloudsmith-Signature",),
        algorithm="HMAC-SHA1 of the body, hexadecimal, with or without `sha1=`",
    )

    def check(self, call: Call, options: SecretOptions) -> None:
        given = header_of(call, "x-cloudsmith-signature").removeprefix(b"sha1=")
        require(any_same([given], hex_macs(options.secret, call.body, "sha1")))
