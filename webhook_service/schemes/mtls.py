"""The scheme ``mtls``: a client certificate that a reverse proxy, or the host itself, has verified.

A proxy that ends TLS writes into headers whose certificate it saw. The default names of these
headers are those of ingress-nginx. The service believes the headers only if they come from a
trusted proxy of the deployment. The proxy must also say that the certificate is valid, because
some proxies let calls with invalid certificates through. Without a proxy, the host's own TLS
refuses them (``WEBHOOK_SERVICE_TLS_CLIENT_CA``), and no header counts.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import HeaderName, any_same, header_of, require
from webhook_service.schemes.scheme import Proof, Scheme, SchemeOptions


class MtlsOptions(SchemeOptions):
    """The clients that may call, and the headers in which the proxy names them."""

    clients: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(
        min_length=1,
        max_length=100,
        description="those that pass, by subject or fingerprint, whole",
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
    """A client certificate that a trusted proxy, or the host itself, has verified."""

    Options = MtlsOptions
    computes_only = True
    proof = Proof(
        headers=("`ssl-client-subject-dn` and `ssl-client-verify`, or the options",),
        algorithm="a trusted proxy, or the host, has verified the certificate of a known client",
    )

    def check(self, call: Call, options: MtlsOptions) -> None:
        known = [client.encode() for client in options.clients]
        if call.certificate is not None and not call.through_proxy:
            names = [call.certificate.subject, call.certificate.fingerprint]
            return require(any_same([name.encode() for name in names], known))
        genuine = call.through_proxy and any_same([header_of(call, options.header)], known)
        if options.verified_header is not None:
            verdict = header_of(call, options.verified_header)
            genuine &= any_same([verdict], [options.verified_value.encode()])
        require(genuine)
