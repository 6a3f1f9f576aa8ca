"""The scheme ``jfrog``: the secret of a JFrog webhook, sent in plain or used to sign.

docs.jfrog.com, "Predefined Webhooks": ``X-JFrog-Event-Auth`` has the secret itself. If "Use secret
for payload signing" is on, it has the hexadecimal HMAC-SHA256 of the body instead.
"""

from __future__ import annotations

from pydantic import Field

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import (
    SecretOptions,
    any_same,
    header_of,
    hex_macs,
    keys_of,
    require,
)
from webhook_service.schemes.scheme import Proof, Scheme


class JFrogOptions(SecretOptions):
    """Whether JFrog signs or sends the secret. A call of the other kind is refused."""

    signed: bool = Field(
        default=False, description='whether "Use secret for payload signing" is on at JFrog'
    )


class JFrog(Scheme[JFrogOptions]):
    """The secret, or the HMAC-SHA256 of the body, in ``X-JFrog-Event-Auth``."""

    Options = JFrogOptions
    computes_only = True
    proof = Proof(
        headers=("X-JFrog-Event-Auth",),
        algorithm="the secret is equal, or with `signed` HMAC-SHA256 of the body, hexadecimal",
    )

    def check(self, call: Call, options: JFrogOptions) -> None:
        if options.signed:
            expected = hex_macs(options.secret, call.body, "sha256")
        else:
            expected = keys_of(options.secret)
        require(any_same([header_of(call, "x-jfrog-event-auth")], expected))
