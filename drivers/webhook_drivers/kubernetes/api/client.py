"""The verbs that drivers use on a cluster, in the name of one project."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from webhook_drivers.kubernetes.api.faults import failure
from webhook_drivers.kubernetes.api.grants import Grant
from webhook_drivers.kubernetes.api.resources import (
    EVENTS,
    NAMESPACES,
    PODS,
    SERVICES,
    Address,
    Json,
    Resource,
)
from webhook_drivers.kubernetes.api.transport import NAME, ApiReply, ApiRequest, Transport
from webhook_drivers.kubernetes.events.writer import EventWriter
from webhook_service import DriverError

EVENT_TIMEOUT = 3.0
PAGE = 500
MAX_LISTED = 5000
MAX_LOG = 64 * 1024
JSON_TYPE = "application/json"
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
REVIEWS = Resource("SelfSubjectAccessReview", "authorization.k8s.io", "v1", "")
REVIEWS_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

_READING = {"User-Agent": NAME, "Accept": JSON_TYPE}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A handful of verbs on one cluster's API; used by many threads at once.

    Every method raises ``Retry`` for what may pass (timeouts, 429, 5xx; ``Conflict`` for 409) and
    ``DriverError`` for the rest, also for a namespace that the project may not touch; no exception
    of the client or of urllib3 leaves.

    Args:
        grant: what the project may touch.
        events: sends the Events on what was changed.
        account: the ServiceAccount of each namespace to act as, instead of our own account.
    """

    transport: Transport
    grant: Grant
    events: EventWriter
    account: str | None = None

    def get(self, address: Address) -> Json:
        return self._call("get", address, "GET", address.path)

    def find(
        self,
        resource: Resource,
        namespace: str,
        selector: str = "",
        *,
        fields: str = "",
        cached: bool = False,
    ) -> tuple[Json, ...]:
        """All objects of a kind in a namespace, by label selector, each complete with its kind.

        Args:
            fields: a field selector, of those that the kind has.
            cached: from the API server's memory, which may lag behind by moments. Otherwise it
                reads all objects of the namespace from its store, whatever the selector.
                https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions

        Raises:
            DriverError: there are more than 5,000.
        """
        address = Address(resource, namespace, "")
        found: list[Json] = []
        after = ""
        while True:
            paging = {"limit": str(PAGE), "continue": after}
            chosen = {"labelSelector": selector, "fieldSelector": fields}
            query = {**chosen, **({"resourceVersion": "0"} if cached else paging)}
            said = urlencode({key: value for key, value in query.items() if value})
            page = self._call("list", address, "GET", f"{address.path}?{said}")
            found += page.get("items") or ()
            after = (page.get("metadata") or {}).get("continue") or ""
            if len(found) > MAX_LISTED:
                raise DriverError(
                    f"There are more than {MAX_LISTED} {resource.qualified} in namespace "
                    f"{namespace}: choose fewer by labels.",
                    code="too_many",
                )
            if not after:
                head = {"apiVersion": resource.api_version, "kind": resource.kind}
                return tuple({**head, **item} for item in found)

    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that the project may touch: those of the cluster, if we may list them.

        Our own account lists them: one ServiceAccount of a namespace is never meant to.
        """
        query = urlencode({"limit": str(PAGE)})
        ask = ApiRequest(method="GET", path=f"/api/v1/namespaces?{query}", headers=_READING)
        reply = self.transport.exchange(ask)
        if reply.status in (401, 403):
            return self.grant.named
        if not reply.ok:
            address = Address(NAMESPACES, "", "")
            raise failure("list", address, reply.status, reply.headers, reply.body)
        found = self.transport.object(reply).get("items") or ()
        names = (str(item["metadata"]["name"]) for item in found)
        return tuple(sorted(name for name in names if self.grant.allows(name)))

    def follow(
        self, address: Address, execution: str, wake: Callable[[], None], *, begin: bool
    ) -> bool:
        """Have an execution woken at the next change of an object, by a watch that all share.

        Args:
            begin: whether to begin a watch where there is none.

        Returns:
            Whether that works; if not, look again soon.
        """
        self.grant.require(address.namespace)
        headers = {**_READING, **self._acting_as(address.namespace)}
        watches = self.transport.watches
        return watches.follow(address, headers, execution, wake, begin=begin)

    def watched(self, address: Address) -> Json | None:
        """An object that is followed, without ``managedFields``; None if it is to be read.

        It may be out of date by moments, also by our own last write.
        """
        self.grant.require(address.namespace)
        return self.transport.watches.get(address)

    def create(self, address: Address, obj: Json, *, dry_run: bool = False) -> Json:
        """Create an object; one of the name that exists already is a ``Conflict``."""
        path = f"{address.resource.path(address.namespace)}?{_writing(dry_run)}"
        return self._call("create", address, "POST", path, obj)

    def patch(
        self,
        address: Address,
        patch: Json | list[Json],
        *,
        content_type: str = STRATEGIC_MERGE,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Json:
        """Apply a patch; a dry run is checked by the server and not stored."""
        path = f"{_sub(address, subresource)}?{_writing(dry_run)}"
        patched = self._call("patch", address, "PATCH", path, patch, content_type)
        if not dry_run and not subresource:
            self.transport.watches.wrote(address, patched)
        return patched

    def delete(
        self,
        address: Address,
        *,
        uid: str | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        """Delete an object, with what it owns; only the one of this uid, if it is said."""
        options: Json = {"propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        self._call("delete", address, "DELETE", address.path, options)

    def logs(self, namespace: str, pod: str, container: str, lines: int) -> str:
        """The last lines of a container's log, at most 64 KiB of them."""
        address = Address(PODS, namespace, pod)
        query = urlencode({"container": container, "tailLines": lines, "limitBytes": MAX_LOG})
        reply = self._ask(address, "GET", f"{address.path}/log?{query}", keep=MAX_LOG)
        if not reply.ok:
            raise failure("read the log of", address, reply.status, reply.headers, reply.body)
        return reply.body.decode("utf-8", "replace")

    def through_service(
        self,
        namespace: str,
        service: str,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        keep: int,
        timeout: float,
    ) -> ApiReply:
        """Call what runs behind a Service, through the API server's proxy.

        https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/

        Args:
            service: its name, or ``name:port``, or ``https:name:port``.
            path: with its query; ``keep`` is how many bytes of the answer to keep.
        """
        address = Address(SERVICES, namespace, service)
        where = SERVICES.path(namespace, "") + f"/{quote(service, safe=':')}/proxy/"
        return self._ask(
            address,
            method,
            where + path.lstrip("/"),
            body=body,
            headers=headers,
            keep=keep,
            timeout=timeout,
            behind=True,
        )

    def create_event(self, namespace: str, event: Json) -> None:
        """Have a core/v1 Event created soon; nobody waits for it."""
        self.grant.require(namespace)
        self.events.put(
            ApiRequest(
                method="POST",
                path=EVENTS.path(namespace),
                body=json.dumps(event).encode(),
                headers={**_READING, "Content-Type": JSON_TYPE, **self._acting_as(namespace)},
                timeout=min(EVENT_TIMEOUT, self.transport.timeout),
            )
        )

    def may(self, verb: str, address: Address, subresource: str = "") -> bool:
        """Ask the cluster whether we may do this; True if it does not let us ask."""
        resource = address.resource
        attributes = {
            "verb": verb,
            "group": resource.group,
            "resource": resource.plural,
            **({"subresource": subresource} if subresource else {}),
            "namespace": address.namespace,
            "name": address.name,
        }
        review = {
            "apiVersion": REVIEWS.api_version,
            "kind": REVIEWS.kind,
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = self._call("review access to", address, "POST", REVIEWS_PATH, review)
        except DriverError as error:
            if error.reason == "forbidden":
                return True
            raise
        return bool((answer.get("status") or {}).get("allowed"))

    def _call(
        self,
        verb: str,
        address: Address,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = JSON_TYPE,
        timeout: float | None = None,
    ) -> Json:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Accept": JSON_TYPE}
        reply = self._ask(address, method, path, body=data, headers=headers, timeout=timeout)
        if not reply.ok:
            raise failure(verb, address, reply.status, reply.headers, reply.body)
        return self.transport.object(reply)

    def _ask(
        self,
        address: Address,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        keep: int | None = None,
        timeout: float | None = None,
        behind: bool = False,
    ) -> ApiReply:
        self.grant.require(address.namespace)
        ask = ApiRequest(
            method=method,
            path=path,
            body=body,
            headers={"User-Agent": NAME, **(headers or {}), **self._acting_as(address.namespace)},
            keep=keep,
            timeout=timeout,
            behind=behind,
        )
        return self.transport.exchange(ask)

    def _acting_as(self, namespace: str) -> Mapping[str, str]:
        """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation"""
        if self.account is None:
            return {}
        return {"Impersonate-User": f"system:serviceaccount:{namespace}:{self.account}"}


def _sub(address: Address, subresource: str) -> str:
    return f"{address.path}/{subresource}" if subresource else address.path


def _writing(dry_run: bool) -> str:
    return urlencode({"fieldManager": NAME, **({"dryRun": "All"} if dry_run else {})})
