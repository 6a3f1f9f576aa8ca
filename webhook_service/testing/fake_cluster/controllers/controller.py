"""What all simulated controllers share, and the thread that runs them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TypeAlias

from webhook_service.testing.fake_cluster.api import selectors
from webhook_service.testing.fake_cluster.api.statuses import ApiError
from webhook_service.testing.fake_cluster.api.verbs import suffix
from webhook_service.testing.fake_cluster.objects import defaults, quotas
from webhook_service.testing.fake_cluster.objects.objects import (
    ObjectStore,
    clone,
    controller_of,
    timestamp,
)
from webhook_service.testing.fake_cluster.objects.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    REPLICASETS,
    SERVICES,
    STATEFULSETS,
    Object,
    Resource,
)

# Brings one object nearer to its spec; answers in how many seconds to look again, if ever.
Reconcile: TypeAlias = Callable[["ControllerView", Object], float | None]
Key: TypeAlias = tuple[Resource, str, str]

OWNERS = {r.kind: r for r in (DEPLOYMENTS, REPLICASETS, STATEFULSETS, DAEMONSETS, JOBS)}
TICK, RETRY = 0.02, 0.1


class ControllerView:
    """The cluster as a controller sees it.

    Args:
        store: the objects.
        ready_delay: seconds from a pod's creation until it is ready.
        nodes: how many nodes there are.
        routing_delay: seconds from a change until Endpoints show it.
    """

    def __init__(
        self, store: ObjectStore, ready_delay: float, nodes: int, routing_delay: float = 0.0
    ) -> None:
        self.store = store
        self.ready_delay = ready_delay
        self.routing_delay = routing_delay
        self.nodes = tuple(f"node-{number}" for number in range(1, nodes + 1))
        # By uid, in monotonic seconds: the API's times are too coarse to follow a rollout by.
        self.created: dict[str, float] = {}
        self.ready: dict[str, float] = {}
        self.progressed: dict[str, float] = {}
        self.routed: dict[str, float] = {}
        self._addresses = 0

    def children(self, owner: Object, resource: Resource) -> list[Object]:
        """The objects that ``owner`` controls, oldest first."""
        found = [
            item for kind, item in self.store.children(owner["metadata"]["uid"]) if kind is resource
        ]
        return sorted(found, key=lambda item: (created(item), version_of(item)))

    def create(self, resource: Resource, owner: Object, item: Object) -> Object:
        """Stores an object that ``owner`` controls, in its namespace."""
        metadata = owner["metadata"]
        reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
        reference |= {"name": metadata["name"], "uid": metadata["uid"]}
        reference |= {"controller": True, "blockOwnerDeletion": True}
        new = {"apiVersion": resource.api_version, "kind": resource.kind, **clone(item)}
        new["metadata"] |= {"namespace": metadata["namespace"], "ownerReferences": [reference]}
        defaults.fill(resource, new)
        return self.store.insert(resource, new)

    def create_pod(
        self, owner: Object, template: Object, labels: Object, name: str = "", node: str = ""
    ) -> Object:
        """Stores a pod made of a template, and places it on a node.

        Raises:
            ApiError: 403, a quota does not allow it.
        """
        metadata = template["metadata"]
        self._addresses += 1
        placed = self.nodes[self._addresses % len(self.nodes)] if self.nodes else ""
        pod: Object = {"metadata": {"name": name or f"{owner['metadata']['name']}-{suffix()}"}}
        pod["metadata"]["labels"] = {**(metadata.get("labels") or {}), **labels}
        if metadata.get("annotations"):
            pod["metadata"]["annotations"] = metadata["annotations"]
        pod["spec"] = {**template["spec"], "nodeName": node or placed}
        high, low = divmod(self._addresses % 65000, 250)
        address = f"10.244.{high}.{low + 1}"
        pod["status"] = {"phase": "Pending", "podIP": address, "hostIP": "127.0.0.1"}
        pod["metadata"]["namespace"] = owner["metadata"]["namespace"]
        quotas.check(self.store, PODS, pod)
        return self.create(PODS, owner, pod)

    def set_status(self, resource: Resource, item: Object, status: Object) -> Object:
        """Writes a status; like Go's ``omitempty``, a count of zero is left out."""
        shown = {key: value for key, value in status.items() if value not in (0, None)}
        return self.store.update(resource, {**item, "status": shown})

    def remove(self, resource: Resource, item: Object) -> None:
        """Removes an object and what it controls."""
        self.store.remove(resource, item)
        for kind, child in self.store.children(item["metadata"]["uid"]):
            self.remove(kind, child)

    def forget(self, uid: str) -> None:
        """Drops the times of an object that is gone."""
        for times in (self.created, self.ready, self.progressed, self.routed):
            times.pop(uid, None)

    def available_in(self, pod: Object, seconds: float) -> float | None:
        """How long until this pod counts as available; None if it is not even ready."""
        since = self.ready.get(pod["metadata"]["uid"])
        return None if since is None else max(0.0, since + seconds - monotonic())


def created(item: Object) -> str:
    stamp: str = item["metadata"]["creationTimestamp"]
    return stamp


def version_of(item: Object) -> int:
    return int(item["metadata"]["resourceVersion"])


def hash_of(template: Object) -> str:
    """A pod template's hash, as in the names of ReplicaSets and revisions."""
    text = json.dumps(template, sort_keys=True)
    return str(int(hashlib.sha256(text.encode()).hexdigest()[:9], 16))[:10]


def condition(
    conditions: list[Object], kind: str, status: str, reason: str, message: str
) -> list[Object]:
    """``conditions`` with one of them set; its transition time moves only with its status."""
    old = next((item for item in conditions if item["type"] == kind), None)
    if old and (old["status"], old["reason"], old["message"]) == (status, reason, message):
        return conditions
    now = timestamp()
    changed = old["lastTransitionTime"] if old and old["status"] == status else now
    new = {"type": kind, "status": status, "lastUpdateTime": now, "lastTransitionTime": changed}
    new |= {"reason": reason, "message": message}
    return [*(item for item in conditions if item is not old), new]


class Controllers:
    """One thread that reconciles what changed, and what is due."""

    def __init__(self, view: ControllerView, reconcilers: Mapping[str, Reconcile]) -> None:
        self._simulation, self._store = view, view.store
        self._reconcilers = reconcilers
        self._due: dict[Key, float] = {}
        self._seen = self._store.version
        self._ripe: set[Key] = set()
        self.failures: list[Exception] = []
        self._thread = threading.Thread(target=self._run, name="fake-cluster-controllers")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        store = self._store
        while True:
            with store.changed:
                next_due = min(self._due.values(), default=None)
                pause = None if next_due is None else max(0.0, next_due - monotonic())
                store.changed.wait_for(lambda: store.closed or store.version > self._seen, pause)
                if store.closed:
                    return
                # Under the lock, so that no client sees a half-done step.
                self._collect_due()
                self._step()

    def _collect_due(self) -> None:
        self._ripe = {key for key, due in self._due.items() if due <= monotonic()}

    def _step(self) -> None:
        while keys := self._ripe | self._touched():
            self._ripe = set()
            for key in sorted(keys, key=lambda key: (key[0].qualified, *key[1:])):
                self._due.pop(key, None)
                self._reconcile(key)

    def _reconcile(self, key: Key) -> None:
        resource, item = key[0], self._store.find(*key)
        if item is None or "deletionTimestamp" in item["metadata"]:
            return
        try:
            again = self._reconcilers[resource.qualified](self._simulation, item)
        except ApiError:
            # Refused, as by a quota: controllers try again.
            again = RETRY
        except Exception as exc:
            # Kept for stop(): a double that quietly stands still would look like a slow driver.
            self.failures.append(exc)
            return
        if again is not None:
            # Never sooner than a tick: a controller that waits for itself must not spin.
            self._due[key] = monotonic() + max(again, TICK / 4)

    def _touched(self) -> set[Key]:
        keys: set[Key] = set()
        try:
            changes = list(self._store.since(self._seen))
        except ApiError:
            keys = self._everything()
            changes = []
        self._seen = self._store.version
        for change in changes:
            keys |= self._concerned(change.resource, change.item)
            if change.after is None:
                self._simulation.forget(change.item["metadata"]["uid"])
        return {key for key in keys if key[0].qualified in self._reconcilers}

    def _everything(self) -> set[Key]:
        resources = (PODS, SERVICES, *OWNERS.values())
        return {
            (resource, item["metadata"].get("namespace", ""), item["metadata"]["name"])
            for resource in resources
            for item in self._store.all(resource)
        }

    def _concerned(self, resource: Resource, item: Object) -> set[Key]:
        metadata = item["metadata"]
        namespace = metadata.get("namespace", "")
        keys: set[Key] = {(resource, namespace, metadata["name"])}
        owner = controller_of(item)
        if owner and owner["kind"] in OWNERS:
            keys.add((OWNERS[owner["kind"]], namespace, owner["name"]))
        if resource is PODS:
            keys |= {
                (SERVICES, namespace, service["metadata"]["name"])
                for service in self._store.all(SERVICES, namespace)
                if selects(service, item)
            }
        return keys


def selects(service: Object, pod: Object) -> bool:
    """Whether a Service sends traffic to a pod. Without a selector it sends to none."""
    wanted = service["spec"].get("selector")
    requirements = selectors.from_object({"matchLabels": wanted})
    return bool(wanted) and selectors.accepts(requirements, pod["metadata"].get("labels"))
