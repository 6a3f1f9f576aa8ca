"""The scheme ``github``: GitHub's signature over the body.

docs.github.com, "Validating webhook deliveries": ``X-Hub-Signature-256`` is ``sha256=`` and the
hexadecimal HMAC of the raw body. The older ``X-Hub-Signature`` (SHA-1) is never looked at.
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


class GitHub(Scheme[SecretOptions]):
    """The HMAC-SHA256 of the body in ``X-Hub-Signature-256``, as GitHub signs."""

    Options = SecretOptions
    computes_only = True
    proof = Proof(
        headers=("X-Hub-Signature-256",),
        algorithm="HMAC-SHA256 of the body, hexadecimal after `sha256=`",
    )

    def check(self, call: Call, options: SecretOptions) -> None:
        macs = hex_macs(options.secret, call.body, "sha256")
        given = header_of(call, "x-hub-signature-256")
        require(any_same([given], [b"sha256=" + mac for mac in macs]))
