"""The scheme ``address``: calls from the sender's networks only.

Behind the trusted proxies of the deployment, the address is that of the caller, not of a proxy.
If others share the sender's network, the address proves little. Use the scheme ``all`` to demand
a signature as well.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from pydantic import Field

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import require
from webhook_service.schemes.scheme import Proof, Scheme, SchemeOptions


class AddressOptions(SchemeOptions):
    """Where the sender calls from."""

    networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        min_length=1,
        max_length=1000,
        description="addresses and networks, such as 192.0.2.7 and 198.51.100.0/24",
    )


class SenderAddress(Scheme[AddressOptions]):
    """A caller's address in a list of networks."""

    Options = AddressOptions
    computes_only = True
    proof = Proof(
        algorithm="the caller's address, behind trusted proxies, is in one of the networks",
    )

    def check(self, call: Call, options: AddressOptions) -> None:
        address = _parse(call.client)
        require(address is not None and any(address in net for net in options.networks))


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address; an IPv4 one that came in over IPv6 is an IPv4 one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
