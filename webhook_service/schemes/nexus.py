"""The scheme ``nexus``: the signature of Sonatype Nexus Repository 3 over the body.

help.sonatype.com, "Working with HMAC Payloads": ``X-Nexus-Webhook-Signature`` is the hexadecimal
HMAC-SHA1 of the body. Nexus offers nothing else. The collisions of SHA-1 do not weaken an HMAC.
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


class Nexus(Scheme[SecretOptions]):
    """The HMAC-SHA1 of the body in ``X-Nexus-Webhook-Signature``."""

    Options = SecretOptions
    computes_only = True
    proof = Proof(
        headers=("X-Nexus-Webhook-Signature",),
        algorithm="HMAC-SHA1 of the body, hexadecimal",
    )

    def check(self, call: Call, options: SecretOptions) -> None:
        given = header_of(call, "x-nexus-webhook-signature")
        require(any_same([given], hex_macs(options.secret, call.body, "sha1")))
