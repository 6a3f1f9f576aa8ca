"""The watches of one connection: one per kind and namespace, shared by all executions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from logging import getLogger
from threading import Lock
from time import monotonic

from webhook_drivers.kubernetes.api.resources import Address, Json, Resource
from webhook_drivers.kubernetes.watching.change_stream import ChangeStream
from webhook_drivers.kubernetes.watching.followed import Wake
from webhook_drivers.kubernetes.watching.watch import Watch

MAX_WATCHES = 64
REFUSED_SECONDS = 600.0
"""After which a watch that was refused is tried again: the right may have been given."""
CLOSE_SECONDS = 1.0

log = getLogger(__name__)


class Watches:
    """Made when they are needed; each has a thread of its own.

    Args:
        name: the cluster's name, for the log.
        stream: begins to get a path with headers; may be silent for so many seconds.
        most: how many there may be at once.
    """

    def __init__(
        self,
        name: str,
        stream: Callable[[str, Mapping[str, str], float], ChangeStream],
        most: int = MAX_WATCHES,
    ) -> None:
        self._name = name
        self._stream = stream
        self._most = most
        self._lock = Lock()
        self._watches: dict[tuple[Resource, str], Watch] = {}
        self._refused: dict[tuple[Resource, str], float] = {}
        self._closed = False

    def follow(
        self,
        address: Address,
        headers: Mapping[str, str],
        execution: str,
        wake: Wake,
        *,
        begin: bool,
    ) -> bool:
        """Wake an execution at the next change of an object.

        Args:
            headers: to send, the same for all of a namespace.
            begin: whether to begin a watch where there is none.

        Returns:
            Whether a watch hears of it; if not, look again soon.
        """
        with self._lock:
            watch = self._watches.get((address.resource, address.namespace))
            if watch is None and begin:
                watch = self._add(address, headers)
            # Under the lock, so that it does not end for want of anything to follow meanwhile.
            if watch is None or not watch.followed.follow(address.name, execution, wake):
                return False
            if not watch.started:
                watch.start()
        return watch.is_reliable

    def get(self, address: Address) -> Json | None:
        """An object that is followed, as it is now but for moments; None if it is to be read."""
        with self._lock:
            watch = self._watches.get((address.resource, address.namespace))
        return watch.get(address.name) if watch else None

    def wrote(self, address: Address, obj: Json) -> None:
        """What an object is by our own write, of which its watch may not have heard yet."""
        with self._lock:
            watch = self._watches.get((address.resource, address.namespace))
        if watch:
            watch.followed.wrote(address.name, obj)

    def close(self) -> None:
        """End all, for a second at the most; who follows something looks by itself."""
        with self._lock:
            self._closed = True
            watches = list(self._watches.values())
        for watch in watches:
            watch.stop()
        until = monotonic() + CLOSE_SECONDS
        for watch in watches:
            watch.join(max(0.0, until - monotonic()))

    def _add(self, address: Address, headers: Mapping[str, str]) -> Watch | None:
        key = address.resource, address.namespace
        is_refused = monotonic() < self._refused.get(key, 0.0)
        if is_refused or self._closed or len(self._watches) >= self._most:
            return None
        path = address.resource.path(address.namespace)
        made = Watch(
            f"{address.resource.plural} of namespace {address.namespace} in cluster {self._name}",
            lambda query, silence: self._stream(f"{path}?{query}", headers, silence),
            lambda refused: self._ended(key, refused),
        )
        self._watches[key] = made
        return made

    def _ended(self, key: tuple[Resource, str], refused: int | None) -> None:
        with self._lock:
            del self._watches[key]
            known = key in self._refused
            if refused:
                self._refused[key] = monotonic() + REFUSED_SECONDS
        if refused and not known:
            resource, namespace = key
            log.warning(
                "Cluster %s does not let us watch %s in namespace %s (%d), so they are asked for "
                "every few seconds while pushes are rolled out: give the right `watch`.",
                *(self._name, resource.qualified, namespace, refused),
            )
