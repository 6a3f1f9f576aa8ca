"""The scheme ``gitea``: the signatures of Gitea and Forgejo over the body.

Both send the same HMAC-SHA256 in several headers (Gitea: services/webhook/deliver.go;
forgejo.org/docs, "Webhooks"): hexadecimal in ``X-Gitea-Signature`` and ``X-Forgejo-Signature``,
and with the prefix ``sha256=`` in ``X-Hub-Signature-256``. One of them is enough, but none may
be wrong.
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

PREFIXES = {
    "x-gitea-signature": b"",
    "x-forgejo-signature": b"",
    "x-hub-signature-256": b"sha256=",
}


class Gitea(Scheme[SecretOptions]):
    """The HMAC-SHA256 of the body, in any of the headers that Gitea and Forgejo use."""

    Options = SecretOptions
    computes_only = True
    proof = Proof(
        headers=("X-Gitea-Signature", "X-Forgejo-Signature", "X-Hub-Signature-256"),
        algorithm="HMAC-SHA256 of the body, hexadecimal; one is enough, none may be wrong",
    )

    def check(self, call: Call, options: SecretOptions) -> None:
        macs = hex_macs(options.secret, call.body, "sha256")
        results = [
            any_same([header_of(call, name)], [prefix + mac for mac in macs])
            for name, prefix in PREFIXES.items()
            if name in call.headers
        ]
        require(bool(results) and all(results))
