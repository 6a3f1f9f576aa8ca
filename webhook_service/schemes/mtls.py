"""The scheme ``mtls``: a client certificate that a reverse proxy has verified.

The proxy ends TLS and says in headers whose certificate it saw; the defaults are the names that
ingress-nginx uses. They are believed only of the deployment's trusted proxies, and only if the
proxy also says that the certificate is valid: some are set to let invalid ones through.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import HeaderName, any_same, header_of, require
from webhook_service.schemes.scheme import Proof, Scheme, SchemeOptions


class MtlsOptions(SchemeOptions):
    """Which clients, and how the proxy names them."""

    clients: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(
        min_length=1,
        max_length=100,
        description="the header's values that pass: subjects or fingerprints, whole",
    )
    header: HeaderName = Field(
        default="ssl-client-subject-dn", description="the header with the subject or fingerprint"
    )
    verified_header: HeaderName | None = Field(
        default="ssl-client-verify",
        description="the header with the proxy's verdict; null if it refuses invalid certificates",
    )
    verified_value: str = Field(
        default="SUCCESS", min_length=1, max_length=100, description="the verdict that passes"
    )


class Mtls(Scheme[MtlsOptions]):
    """A client certificate, verified and named by a trusted proxy."""

    Options = MtlsOptions
    computes_only = True
    proof = Proof(
        headers=("`ssl-client-subject-dn` and `ssl-client-verify`, or the options",),
        algorithm="a trusted proxy has verified the client certificate and names a known client",
    )

    def check(self, call: Call, options: MtlsOptions) -> None:
        known = [client.encode() for client in options.clients]
        genuine = call.through_proxy and any_same([header_of(call, options.header)], known)
        if options.verified_header is not None:
            verdict = header_of(call, options.verified_header)
            genuine &= any_same([verdict], [options.verified_value.encode()])
        require(genuine)
