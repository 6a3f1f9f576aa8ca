"""Addresses: who is calling, and by which address the caller reached this service."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote

from starlette.requests import HTTPConnection

from webhook_service.errors import InvalidRequest
from webhook_service.host.http.links import Links

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Proxies:
    """The reverse proxies whose headers are believed.

    Args:
        networks: where they are.
    """

    def __init__(self, networks: Collection[Network] = ()) -> None:
        self._networks = tuple(networks)

    def sent(self, request: HTTPConnection) -> bool:
        """Whether the request comes straight from one of them."""
        return bool(self._networks) and self.trust(_peer(request))

    def trust(self, address: str) -> bool:
        """Whether this is the address of one of them."""
        return bool(self._networks) and self._trusts(_parse(address))

    def client(self, request: HTTPConnection) -> str:
        """The caller's address: the last one in X-Forwarded-For that is not a proxy's."""
        client = _peer(request)
        if not self.sent(request):
            return client
        for text in reversed(_values(request, "x-forwarded-for")):
            if (address := _parse(text)) is None:
                return client
            client = str(address)
            if not self._trusts(address):
                return client
        return client

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


class Addresses:
    """Builds the links of answers.

    Args:
        base_url: what links begin with; without it the Host header says so.
        proxies: whose X-Forwarded-Host, -Proto and -Port are believed.
    """

    def __init__(self, base_url: str | None, proxies: Proxies) -> None:
        self._base_url = base_url.rstrip("/") if base_url else None
        self.proxies = proxies

    def links(self, request: HTTPConnection, project: str | None = None) -> Links:
        """Links that the caller can follow.

        Raises:
            InvalidRequest: the Host header is no host.
        """
        return Links(self._base_url or self.reached(request), project)

    def reached(self, request: HTTPConnection) -> str:
        """The address that the caller used, whatever the base URL is.

        Raises:
            InvalidRequest: the Host header is no host.
        """
        hosts = request.headers.getlist("host") or [_own_host(request)]
        if len(hosts) > 1:
            raise InvalidRequest("The request has more than one Host header.")
        host, scheme = hosts[0], request.scope.get("scheme", "http")
        if self.proxies.sent(request):
            host = _last(request, "x-forwarded-host") or host
            scheme = _last(request, "x-forwarded-proto") or scheme
            host = _with_port(host, scheme, _last(request, "x-forwarded-port"))
        if not _HOST.fullmatch(host) or scheme not in ("http", "https"):
            raise InvalidRequest("The Host header is not a host name.")
        root = request.scope.get("root_path", "")
        return f"{scheme}://{host}{quote(root) if root else root}"

    @property
    def base_url(self) -> str | None:
        """What links begin with, if that is set."""
        return self._base_url


def network_of(address: str) -> str:
    """Whom an address stands for: itself, or its IPv6 network of 64 bits, as providers give them.

    Empty for what is no address, such as the peer of a Unix socket.
    """
    if ":" not in address:
        return address
    parsed = _parse(address.partition("%")[0])
    if not isinstance(parsed, IPv6Address):
        return "" if parsed is None else str(parsed)
    return str(IPv6Network((parsed, 64), strict=False))


def path_of(request: HTTPConnection) -> str:
    """The path that was called, without the prefix that the application is mounted at."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


def _peer(request: HTTPConnection) -> str:
    # Starlette makes an object of it each time that it is asked for.
    client = request.scope.get("client")
    return str(client[0]) if client else ""


def _own_host(request: HTTPConnection) -> str:
    host, port = request.scope.get("server") or ("localhost", None)
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host


def _with_port(host: str, scheme: str, port: str | None) -> str:
    """The host with the port that the caller used, unless it is named or goes without saying."""
    named = host.rpartition("]")[2].count(":")
    if port is None or named or port == {"http": "80", "https": "443"}.get(scheme):
        return host
    return f"{host}:{port}"


def _values(request: HTTPConnection, header: str) -> list[str]:
    joined = ",".join(request.headers.getlist(header))
    return [value.strip() for value in joined.split(",") if value.strip()]


def _last(request: HTTPConnection, header: str) -> str | None:
    """What the nearest proxy said; what stands before it came from outside."""
    values = _values(request, header)
    return values[-1] if values else None


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
