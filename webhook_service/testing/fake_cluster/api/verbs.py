"""The verbs of the API over the store; HTTP is elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from webhook_service.testing.fake_cluster.api import pages, patches, selectors, subresources
from webhook_service.testing.fake_cluster.api.paths import ApiPath
from webhook_service.testing.fake_cluster.api.statuses import (
    ApiError,
    already_exists,
    apply_failed,
    bad_request,
    invalid,
    not_found,
    required,
    unsupported,
)
from webhook_service.testing.fake_cluster.objects import (
    defaults,
    definitions,
    identity,
    managed_fields,
    quotas,
    validation,
)
from webhook_service.testing.fake_cluster.objects.objects import ObjectStore, clone, timestamp
from webhook_service.testing.fake_cluster.objects.resources import (
    DEFINITIONS,
    NAMESPACES,
    Object,
    Resource,
)

# What a status shows before any controller wrote it; zeros that Go does not omit.
EMPTY: Mapping[str, Object] = {
    "ReplicaSet": {"replicas": 0},
    "StatefulSet": {"replicas": 0},
    "DaemonSet": {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    "Service": {"loadBalancer": {}},
    "Pod": {"phase": "Pending"},
    "Namespace": {"phase": "Active"},
}
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
BUILT_IN = (patches.JSON_PATCH, patches.MERGE, patches.STRATEGIC, patches.APPLY)
CUSTOM = (patches.JSON_PATCH, patches.MERGE, patches.APPLY)


def suffix(length: int = 5) -> str:
    """Random characters, as the server appends to a ``generateName``."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


class Api:
    """Reads and writes of one cluster. Every method raises ``ApiError`` to refuse.

    Attributes:
        mutate: changes what users write, as a mutating admission plug-in does.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.mutate: Callable[[Object], None] = lambda _: None

    def get(self, target: ApiPath) -> Object:
        return subresources.present(target.subresource, self._find(target))

    def collect(self, target: ApiPath, params: Mapping[str, str]) -> Object:
        """One page of a collection, with the version a watch can go on from."""
        resource = target.resource
        with self._store.changed:
            found = self._select(target, params)
            version = str(self._store.version)
        metadata: Object = {"resourceVersion": version}
        page, rest = pages.page(found, params)
        if rest:
            metadata |= {"continue": pages.token(page[-1]), "remainingItemCount": rest}
        header = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        # Items of a typed list carry neither kind nor apiVersion, as on the real server.
        hidden = () if resource.custom else ("kind", "apiVersion")
        items = [{k: v for k, v in item.items() if k not in hidden} for item in page]
        return {**header, "metadata": metadata, "items": items}

    def create(
        self, target: ApiPath, body: Object, dry_run: bool = False, manager: str = ""
    ) -> Object:
        """Stores a new object; ``manager`` is who writes, as far as the caller says."""
        resource, item = target.resource, identity.addressed(target, body)
        metadata = item["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + suffix()
        if "resourceVersion" in metadata:
            message = "resourceVersion should not be set on objects to be created"
            raise ApiError(500, "", message)
        if resource.status:
            item.pop("status", None)
        if resource.status and not resource.custom:
            item["status"] = dict(EMPTY.get(resource.kind, {}))
        defaults.fill(resource, item)
        self.mutate(item)
        with self._store.changed:
            if resource.namespaced and not self._exists(NAMESPACES, "", target.namespace):
                raise not_found(NAMESPACES, target.namespace)
            validation.check(resource, item, None)
            quotas.check(self._store, resource, item)
            if self._exists(resource, target.namespace, metadata["name"]):
                raise already_exists(resource, metadata["name"])
            managed_fields.note(resource, None, item, manager)
            return item if dry_run else self._store.insert(resource, item)

    def replace(
        self, target: ApiPath, body: Object, dry_run: bool = False, manager: str = ""
    ) -> Object:
        """PUT: the whole object, or the whole of a subresource."""
        name = (body.get("metadata") or {}).get("name")
        if name != target.name:
            raise identity.misnamed(name, target.name)
        if not target.subresource:
            body = identity.addressed(target, body)
        return self._change(target, lambda _: body, dry_run, manager)

    def patch(
        self,
        target: ApiPath,
        media: str,
        body: Any,
        params: Mapping[str, str],
        manager: str = "",
    ) -> tuple[Object, bool]:
        """PATCH in any of the four formats; the second value tells whether it created."""
        dry_run = params.get("dryRun") == "All"
        if media not in (CUSTOM if target.resource.custom else BUILT_IN):
            raise unsupported(target.resource, CUSTOM)
        if media == patches.JSON_PATCH:
            edited = self._change(
                target, lambda old: patches.json_patch(old, body), dry_run, manager
            )
            return edited, False
        if not isinstance(body, dict):
            raise bad_request("the patch is not an object")
        if media == patches.APPLY:
            return self._apply(target, body, params)
        merge = patches.merge if media == patches.MERGE else patches.strategic_merge
        return self._change(target, lambda old: merge(old, body), dry_run, manager), False

    def delete(self, target: ApiPath, options: Object, dry_run: bool = False) -> Object:
        """DELETE, with what it owns unless ``propagationPolicy`` is ``Orphan``."""
        with self._store.changed:
            item = self._find(target)
            identity.check_preconditions(target, item, options.get("preconditions") or {})
            if dry_run:
                return item
            policy = options.get("propagationPolicy", "Background")
            self._remove(target.resource, item, orphan=policy == "Orphan")
            return item

    def delete_collection(self, target: ApiPath, params: Mapping[str, str]) -> None:
        """DELETE of all objects that match."""
        with self._store.changed:
            for item in self._select(target, params):
                if params.get("dryRun") != "All":
                    self._remove(target.resource, item, orphan=False)

    def _select(self, target: ApiPath, params: Mapping[str, str]) -> list[Object]:
        labels, fields = params.get("labelSelector", ""), params.get("fieldSelector", "")
        matches = selectors.matcher(target.resource, labels, fields)
        return [
            item for item in self._store.all(target.resource, target.namespace) if matches(item)
        ]

    def _find(self, target: ApiPath) -> Object:
        item = self._store.find(target.resource, target.namespace, target.name)
        if item is None:
            raise not_found(target.resource, target.name)
        return item

    def _exists(self, resource: Resource, namespace: str, name: str) -> bool:
        return self._store.find(resource, namespace, name) is not None

    def _change(
        self,
        target: ApiPath,
        edit: Callable[[Object], Object],
        dry_run: bool,
        manager: str,
    ) -> Object:
        resource, sub = target.resource, target.subresource
        with self._store.changed:
            old = self._find(target)
            written = edit(subresources.present(sub, old))
            identity.check_version(target, old, written.get("metadata") or {})
            new = clone(subresources.absorb(sub, resource.status, old, written))
            identity.keep_identity(target, old, new)
            defaults.fill(resource, new)
            self.mutate(new)
            validation.check(resource, new, old)
            managed_fields.note(resource, old, new, "" if sub else manager)
            if not dry_run:
                new = self._store.update(resource, new, by_user=not sub)
                self._finish_deletion(resource, new)
            return subresources.present(sub, new)

    def _apply(
        self, target: ApiPath, body: Object, params: Mapping[str, str]
    ) -> tuple[Object, bool]:
        if not params.get("fieldManager"):
            cause = required("fieldManager", "is required for apply patch")
            raise invalid(Resource("meta.k8s.io", "", "PatchOptions"), "", [cause])
        dry_run = params.get("dryRun") == "All"
        with self._store.changed:
            if self._exists(target.resource, target.namespace, target.name):
                resource = target.resource
                merge = patches.merge if resource.custom else patches.strategic_merge
                manager = params["fieldManager"]

                def edit(old: Object) -> Object:
                    new = merge(old, body)
                    if params.get("force") != "true":
                        if owners := managed_fields.contested(resource, old, new, manager):
                            raise apply_failed(owners, resource.api_version)
                    return new

                return self._change(target, edit, dry_run, manager), False
            if target.subresource:
                raise not_found(target.resource, target.name)
            return self.create(target, body, dry_run, params["fieldManager"]), True

    def _remove(self, resource: Resource, item: Object, orphan: bool) -> None:
        if item["metadata"].get("finalizers"):
            deleted = {**item["metadata"], "deletionTimestamp": timestamp()}
            self._store.update(resource, {**item, "metadata": item["metadata"] | deleted})
            return
        if resource is DEFINITIONS:
            for custom in definitions.served_by(item):
                for content in self._store.all(custom):
                    self._store.remove(custom, content)
        if resource is NAMESPACES:
            for kind, content in self._store.contents(item["metadata"]["name"]):
                if self._exists(kind, item["metadata"]["name"], content["metadata"]["name"]):
                    self._store.remove(kind, content)
        self._store.remove(resource, item)
        for kind, child in self._store.children(item["metadata"]["uid"]):
            if orphan:
                self._store.update(kind, identity.without_owner(child, item["metadata"]["uid"]))
            else:
                self._remove(kind, child, orphan=False)

    def _finish_deletion(self, resource: Resource, item: Object) -> None:
        metadata = item["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            self._remove(resource, item, orphan=False)
