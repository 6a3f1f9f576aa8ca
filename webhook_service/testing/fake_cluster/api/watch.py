"""Watches: what changed in a collection since a version, as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import monotonic

from webhook_service.testing.fake_cluster.api import selectors
from webhook_service.testing.fake_cluster.api.paths import ApiPath
from webhook_service.testing.fake_cluster.api.selectors import Matcher
from webhook_service.testing.fake_cluster.api.statuses import ApiError, bad_request
from webhook_service.testing.fake_cluster.objects.objects import ObjectStore, WatchEvent
from webhook_service.testing.fake_cluster.objects.resources import Object

# How soon a client that went away is noticed.
CHECK_EVERY = 0.5
DEFAULT_TIMEOUT = 1800.0


class WatchStream:
    """The events of one watch request.

    Args:
        store: where the changes are logged.
        target: the collection, or one object of it.
        params: the query parameters.
        gone: tells whether the client has gone away.

    Raises:
        ApiError: 400, a parameter cannot be parsed.
    """

    def __init__(
        self,
        store: ObjectStore,
        target: ApiPath,
        params: Mapping[str, str],
        gone: Callable[[], bool],
    ) -> None:
        self._store, self._target, self._gone = store, target, gone
        fields = params.get("fieldSelector", "")
        self._matches: Matcher = selectors.matcher(
            target.resource, params.get("labelSelector", ""), fields
        )
        try:
            self._version = int(params.get("resourceVersion") or 0)
            seconds = float(params.get("timeoutSeconds") or DEFAULT_TIMEOUT)
        except ValueError as exc:
            raise bad_request(f"Invalid value: {exc}") from exc
        self._until = monotonic() + seconds
        self._bookmarks = params.get("allowWatchBookmarks") in ("true", "1")

    def events(self) -> Iterator[Object]:
        """Events until the time is up, the client is gone or the cluster stops."""
        try:
            if not self._version:
                yield from self._present()
            while changes := self._next():
                for change in changes:
                    yield from self._event(change)
            if self._bookmarks and monotonic() >= self._until:
                yield self._bookmark()
        except ApiError as exc:
            # As the real server does: the answer has begun with 200, so the error is an event.
            yield {"type": "ERROR", "object": exc.status()}

    def _bookmark(self) -> Object:
        resource = self._target.resource
        metadata = {"resourceVersion": str(self._version)}
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
        return {"type": "BOOKMARK", "object": {**head, "metadata": metadata}}

    def _present(self) -> Iterator[Object]:
        with self._store.changed:
            self._version = self._store.version
            items = self._store.all(self._target.resource, self._target.namespace)
        for item in items:
            if self._concerns(item):
                yield {"type": "ADDED", "object": item}

    def _next(self) -> list[WatchEvent]:
        """The changes after the last ones, waiting for them; none when the watch ends."""
        store = self._store
        while not store.closed and not self._gone() and (left := self._until - monotonic()) > 0:
            with store.changed:
                ready = store.changed.wait_for(
                    lambda: store.version > self._version or store.closed, min(left, CHECK_EVERY)
                )
                if ready and not store.closed:
                    changes = list(store.since(self._version))
                    self._version = store.version
                    return changes
        return []

    def _concerns(self, item: Object | None) -> bool:
        if item is None:
            return False
        metadata, target = item["metadata"], self._target
        if target.namespace and metadata.get("namespace") != target.namespace:
            return False
        return (not target.name or metadata["name"] == target.name) and self._matches(item)

    def _event(self, change: WatchEvent) -> Iterator[Object]:
        if change.resource != self._target.resource:
            return
        before, after = self._concerns(change.before), self._concerns(change.after)
        if after:
            yield {"type": "MODIFIED" if before else "ADDED", "object": change.after}
        elif before:
            # Deleted, or no longer selected: both are DELETED for this watcher.
            yield {"type": "DELETED", "object": change.after or change.before}
