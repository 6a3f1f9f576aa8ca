"""The objects of the cluster, their versions, and the log that watches read.

Stored objects are never changed in place: every write stores a new copy, so that a reader may
keep what it got without a lock.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from webhook_service.testing.fake_cluster.api.statuses import expired
from webhook_service.testing.fake_cluster.objects.resources import Object, Resource

# Like a real cluster, which is never at version 1 when a client arrives; a watch from there is
# too old.
FIRST_VERSION = 1000


def clone(item: Object) -> Object:
    """A deep copy; several times faster than ``copy.deepcopy`` for JSON values."""
    copied: Object = json.loads(json.dumps(item))
    return copied


def timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def controller_of(item: Object) -> Object | None:
    """The owner reference of the object that controls ``item``."""
    owners = item["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One write: ``before`` is absent for a new object, ``after`` for a deleted one."""

    version: int
    resource: Resource
    before: Object | None
    after: Object | None

    @property
    def item(self) -> Object:
        item = self.after or self.before
        assert item is not None
        return item


class ObjectStore:
    """All objects, under one lock; ``changed`` is notified after every write."""

    def __init__(self, log_limit: int) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.version = FIRST_VERSION
        self.closed = False
        self._tables: dict[str, dict[tuple[str, str], Object]] = {}
        self._resources: dict[str, Resource] = {}
        self._children: dict[str, dict[str, tuple[Resource, Object]]] = {}
        self._log: deque[WatchEvent] = deque(maxlen=log_limit)
        self._oldest = FIRST_VERSION

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._tables.get(resource.qualified, {}).get((namespace, name))

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """The objects of one namespace, or of all, in the order of their names."""
        with self.changed:
            table = self._tables.get(resource.qualified, {})
            keys = sorted(key for key in table if not namespace or key[0] == namespace)
            return [table[key] for key in keys]

    def contents(self, namespace: str) -> list[tuple[Resource, Object]]:
        """Everything that lives in a namespace."""
        with self.changed:
            return [
                (self._resources[qualified], item)
                for qualified, table in self._tables.items()
                for (owner, _), item in table.items()
                if owner == namespace
            ]

    def children(self, uid: str) -> list[tuple[Resource, Object]]:
        """The objects that name ``uid`` as an owner."""
        with self.changed:
            return list(self._children.get(uid, {}).values())

    def insert(self, resource: Resource, item: Object) -> Object:
        """Stores a new object under a new uid and version."""
        with self.changed:
            new = clone(item)
            new["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
            if resource.generation:
                new["metadata"]["generation"] = 1
            return self._write(resource, None, new)

    def update(self, resource: Resource, item: Object, by_user: bool = False) -> Object:
        """Stores a new state of an object. One that changes nothing keeps its version.

        Annotations that a controller writes raise no generation.
        """
        with self.changed:
            new = clone(item)
            metadata = new["metadata"]
            old = self._tables[resource.qualified][_key(new)]
            for field in ("uid", "creationTimestamp", "generation", "resourceVersion"):
                metadata[field] = old["metadata"].get(field)
            if metadata["generation"] is None:
                del metadata["generation"]
            if new == old:
                return old
            annotated = by_user and resource.annotated and _annotations(new) != _annotations(old)
            if annotated or (resource.generation and new.get("spec") != old.get("spec")):
                metadata["generation"] += 1
            return self._write(resource, old, new)

    def remove(self, resource: Resource, item: Object) -> None:
        """Forgets an object; its children stay."""
        with self.changed:
            old = self._tables[resource.qualified][_key(item)]
            self._write(resource, old, None)

    def since(self, version: int) -> Iterator[WatchEvent]:
        """The writes after ``version``, oldest first.

        Raises:
            ApiError: 410, the log no longer goes back that far.
        """
        with self.changed:
            if version < self._oldest:
                raise expired(version, self._oldest)
            newest_first = []
            for change in reversed(self._log):
                if change.version <= version:
                    break
                newest_first.append(change)
            return reversed(newest_first)

    def close(self) -> None:
        """Ends all watches."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _write(self, resource: Resource, old: Object | None, new: Object | None) -> Object:
        self.version += 1
        if new is None:
            assert old is not None
            # A watcher learns the version of the deletion from the object it gets.
            old = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.version)}}
        else:
            new["metadata"]["resourceVersion"] = str(self.version)
        self._index(resource, old, new)
        if len(self._log) == self._log.maxlen:
            self._oldest = self._log[0].version
        self._log.append(WatchEvent(self.version, resource, old, new))
        self.changed.notify_all()
        return new or old or {}

    def _index(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        self._resources[resource.qualified] = resource
        table = self._tables.setdefault(resource.qualified, {})
        for item in (old, new):
            if item is None:
                continue
            table.pop(_key(item), None)
            for owner in item["metadata"].get("ownerReferences") or ():
                siblings = self._children.setdefault(owner["uid"], {})
                siblings.pop(item["metadata"]["uid"], None)
                if item is new:
                    siblings[item["metadata"]["uid"]] = (resource, item)
        if new is not None:
            table[_key(new)] = new


def _annotations(item: Object) -> Object:
    return item["metadata"].get("annotations") or {}


def _key(item: Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
