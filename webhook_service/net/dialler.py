"""How the one HTTP client connects: only to addresses that it has looked at itself.

A name is looked up once, its addresses are judged, and one of those is dialled: a name that
changes its answer in between (DNS rebinding) gains nothing. TLS goes on checking the name.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore

from webhook_service.errors import OutboundError

WRITE_BYTES = 16 * 1024

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

_UNICAST = ipaddress.IPv6Network("2000::/3")
# Public by their number, yet each leads inside: the metadata services of Azure and Oracle,
# Teredo, 6to4.
_REFUSED: tuple[Network, ...] = (
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv4Network("168.63.129.16/32"),
    ipaddress.IPv6Network("2001::/32"),
    ipaddress.IPv6Network("2002::/16"),
)


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """What the dialler has to know of the call it dials for."""

    deadline: float
    secure: bool
    proxied: bool

    def left(self, at_most: float | None = None) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.TimeoutException("the call's time is over")
        return left if at_most is None else min(left, at_most)


current_call: ContextVar[OutboundCall] = ContextVar("outbound call")


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses of a name in the system's order of preference; may take long."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class Dialler(httpcore.NetworkBackend):
    """Looks a name up once and dials what it looked at; TLS still checks the name."""

    def __init__(self, allowed: tuple[Network, ...], resolve: Resolve, timeout: float) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._timeout = timeout
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        call = current_call.get()
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses(host, port, call):
            try:
                stream = self._sockets.connect_tcp(
                    str(address), port, call.left(self._timeout), local_address, socket_options
                )
                return Stream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure

    def check_literal(self, host: str) -> None:
        """Refuse what a proxy would read as an address that may not be dialled."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            # No top-level domain starts with a digit: 2130706433 and 0x7f.1 are 127.0.0.1.
            if host.rstrip(".").rpartition(".")[2][:1].isdigit():
                raise OutboundError(f"{host} is not a name that may be called.") from None
            return
        if not self._may_dial(_plain(address), secure=True):
            raise _refusal(host, secure=True)

    def _addresses(self, host: str, port: int, call: OutboundCall) -> list[IPAddress]:
        found = _in_time(lambda: self._resolve(host, port), call)
        addresses = [_plain(ipaddress.ip_address(each)) for each in found]
        if call.proxied:
            return addresses
        dialled = [each for each in addresses if self._may_dial(each, call.secure)]
        if not dialled:
            raise _refusal(host, call.secure)
        return dialled

    def _may_dial(self, address: IPAddress, secure: bool) -> bool:
        allowed = any(address in network for network in self._allowed)
        return allowed or (secure and is_public(address))


class Stream(httpcore.NetworkStream):
    """A connection whose every step ends with the call it serves, however slow the other is."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, current_call.get().left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITE_BYTES):
            part = buffer[start : start + WRITE_BYTES]
            self._stream.write(part, current_call.get().left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = current_call.get().left(timeout)
        return Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _plain(address: IPAddress) -> IPAddress:
    """An IPv4 address in the clothes of an IPv6 one is judged, and dialled, as what it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_public(address: IPAddress) -> bool:
    """Whether the address is a public host's; NAT64 and other translations are not."""
    address = _plain(address)
    if any(address in network for network in _REFUSED) or address.is_multicast:
        return False
    return address.is_global and (address.version == 4 or address in _UNICAST)


def _refusal(host: str, secure: bool) -> OutboundError:
    what = "is not a public address" if secure else "is not called without TLS"
    return OutboundError(f"{host} {what}; an operator can allow its network.")


def _in_time(lookup: Callable[[], Sequence[str]], call: OutboundCall) -> Sequence[str]:
    """The system's resolver knows no timeout, so it gets a thread that can be left behind."""
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(lookup())
        except UnicodeError:
            answers.put(socket.gaierror(socket.EAI_NONAME, "no name that can be looked up"))
        except Exception as exc:
            answers.put(exc)

    threading.Thread(target=look_up, name="outbound-lookup", daemon=True).start()
    try:
        answer = answers.get(timeout=call.left())
    except queue.Empty:
        raise httpcore.ConnectTimeout("the name's lookup takes too long") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
