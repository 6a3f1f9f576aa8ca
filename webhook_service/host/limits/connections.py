"""Connections: how many may be open, in all and from one address.

Sockets that only wait cost little each, but without a bound they use up what the system gives.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from webhook_service.host.http.address import Proxies, network_of

# What a process needs beside its connections: the database, clusters, logs, libraries.
OTHER_FILES = 256

log = logging.getLogger(__name__)


class Connections:
    """Counts open connections, and says when there are too many. For the event loop alone.

    Args:
        total: how many may be open; 0 is no limit, here and for one address.
        per_address: how many may be open from one IPv4 address or IPv6 network of 64 bits.
        proxies: count in the total only.
        on_refused: is told which limit was met.
        on_count: is told how many are open, each time that this changes.
    """

    def __init__(
        self,
        total: int = 10_000,
        per_address: int = 100,
        proxies: Proxies | None = None,
        on_refused: Callable[[str], None] = lambda limit: None,
        on_count: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._total = total
        self._per_address = per_address
        self._proxies = proxies or Proxies()
        self._on_refused = on_refused
        self._on_count = on_count
        self._open: Counter[str] = Counter()
        self.count = 0

    def admit(self, address: str) -> bool:
        """Whether a connection from this address may stay; if so, it is counted."""
        source = network_of(address)
        if self._total and self.count >= self._total:
            self._on_refused("connections")
            return False
        if self._is_full(source) and not self._proxies.trust(address):
            self._on_refused("connections_of_address")
            return False
        self._open[source] += 1
        self._set(self.count + 1)
        return True

    def leave(self, address: str) -> None:
        """Count one connection less."""
        source = network_of(address)
        self._set(self.count - 1)
        self._open[source] -= 1
        if not self._open[source]:
            del self._open[source]

    def _set(self, count: int) -> None:
        self.count = count
        self._on_count(count)

    def _is_full(self, source: str) -> bool:
        return bool(source) and 0 < self._per_address <= self._open[source]


def allow_open_files(connections: int) -> None:
    """Raise this process's limit of open files so that so many connections fit in it."""
    try:
        import resource
    except ImportError:  # not a POSIX system, which has no such limit
        return
    needed = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < needed:
            log.warning(
                "This process may open %d files; %d connections need %d. Raise its limit, or "
                "lower WEBHOOK_SERVICE_MAX_CONNECTIONS.",
                allowed,
                connections,
                needed,
            )
