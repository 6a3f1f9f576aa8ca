"""The scheme ``header``: a secret value in a header, for registries that cannot sign.

Harbor's "Auth Header", the custom headers of Azure and the ``headers`` of CNCF distribution are
sent as somebody typed them. Often that is ``Authorization`` with no scheme before the value. So
the whole value of the header is compared.
"""

from __future__ import annotations

from pydantic import Field

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import (
    HeaderName,
    SecretOptions,
    any_same,
    header_of,
    keys_of,
    require,
)
from webhook_service.schemes.scheme import Proof, Scheme


class HeaderOptions(SecretOptions):
    """The name of the header; ``secret`` is its whole value."""

    header: HeaderName = Field(
        default="authorization", description="the header whose whole value is the secret"
    )


class Header(Scheme[HeaderOptions]):
    """A secret as the value of a header."""

    Options = HeaderOptions
    computes_only = True
    proof = Proof(
        headers=("`Authorization`, or the option `header`",),
        algorithm="the whole value is equal",
    )

    def check(self, call: Call, options: HeaderOptions) -> None:
        require(any_same([header_of(call, options.header)], keys_of(options.secret)))
