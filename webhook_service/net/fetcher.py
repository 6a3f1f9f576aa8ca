"""Fetching small documents from other servers: keys, certificates, confirmations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhook_service.net.outbound import Outbound

MAX_BYTES = 256 * 1024
TIMEOUT = 5.0


def new_outbound() -> Outbound:
    """The client with its defaults: public addresses over TLS."""
    from webhook_service.net.outbound import Outbound

    return Outbound()


class Fetcher:
    """GETs documents over the one outbound client.

    Args:
        make: makes the client at the first call: most services never need it, and it takes a
            good part of their start.
    """

    def __init__(self, make: Callable[[], Outbound] = new_outbound) -> None:
        self._make = make
        self._outbound: Outbound | None = None
        self._lock = threading.Lock()

    def __call__(self, url: str) -> bytes:
        """The body that a URL answers with.

        Raises:
            OutboundError: there is no answer, or one that is not 200.
        """
        from webhook_service.net.dialler import OutboundError

        reply = self._client().request("GET", url, timeout=TIMEOUT, max_bytes=MAX_BYTES)
        if reply.status != 200:
            raise OutboundError(f"The answer is {reply.status}.", transient=reply.status >= 500)
        return reply.body

    def close(self) -> None:
        """Close the client's connections."""
        with self._lock:
            if self._outbound is not None:
                self._outbound.close()
                self._outbound = None

    def _client(self) -> Outbound:
        with self._lock:
            if self._outbound is None:
                self._outbound = self._make()
            return self._outbound
