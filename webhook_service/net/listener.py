"""Sockets that have an address to serve on."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from webhook_service.errors import SettingsError


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket with an address, that does not listen yet.

    Args:
        shared: whether other sockets of this user may have the address too (``SO_REUSEPORT``);
            Linux spreads the connections over those that listen.

    Raises:
        SettingsError: the address is taken, or none of this machine.
    """
    listener = None
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError as exc:
        if listener is not None:
            listener.close()
        raise SettingsError(
            f"WEBHOOK_SERVICE_LISTEN: {host}:{port} cannot be served on: {exc.strerror}."
        ) from exc
    return listener


def bind_all(host: str, port: int, count: int) -> Sequence[socket.socket]:
    """Sockets that share an address among them, and with nobody else.

    Raises:
        SettingsError: as ``bind``.
    """
    # One that shares nothing is refused where others of this user serve already.
    with bind(host, port) as alone:
        port = alone.getsockname()[1]
    listeners: list[socket.socket] = []
    try:
        for _ in range(count):
            listeners.append(bind(host, port, shared=True))
    except SettingsError:
        for listener in listeners:
            listener.close()
        raise
    return listeners
