"""Which requests are refused: the fake cluster's stand-in for RBAC."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from webhook_service.testing.fake_cluster.api.statuses import ApiError
from webhook_service.testing.fake_cluster.objects.resources import Object, Resource


@dataclass(frozen=True, slots=True)
class Denial:
    """A refused verb; ``*`` stands for any, no namespace for all.

    With a message it is refused by admission, not by RBAC.
    """

    verb: str
    resource: str
    namespace: str | None
    message: str = ""

    def covers(self, verb: str, resource: str, namespace: str) -> bool:
        return (
            self.verb in ("*", verb)
            and self.resource in ("*", resource)
            and self.namespace in (None, namespace)
        )


class Access:
    """Everything is allowed until it is denied."""

    def __init__(self, user: str) -> None:
        self._user = user
        self._denials: frozenset[Denial] = frozenset()
        self._lock = threading.Lock()

    def deny(self, verb: str, resource: str, namespace: str | None, message: str = "") -> None:
        with self._lock:
            self._denials |= {Denial(verb, resource, namespace, message)}

    def allow_all(self) -> None:
        with self._lock:
            self._denials = frozenset()

    def allows(self, verb: str, resource: str, namespace: str) -> bool:
        return not any(
            denial.covers(verb, resource, namespace)
            for denial in self._denials
            if not denial.message
        )

    def check(self, verb: str, resource: Resource, sub: str, namespace: str, name: str) -> None:
        """Refuses what was denied.

        Raises:
            ApiError: 403.
        """
        full = f"{resource.plural}/{sub}" if sub else resource.plural
        if self.allows(verb, full, namespace):
            return self._admit(verb, full, namespace)
        target = f'{resource.qualified} "{name}"' if name else resource.qualified
        scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        message = (
            f'{target} is forbidden: User "{self._user}" cannot {verb} resource "{full}" '
            f'in API group "{resource.group}" {scope}'
        )
        details = {"name": name, "group": resource.group, "kind": resource.plural}
        found = {key: value for key, value in details.items() if value}
        raise ApiError(403, "Forbidden", message, found)

    def _admit(self, verb: str, resource: str, namespace: str) -> None:
        for denial in self._denials:
            if denial.message and denial.covers(verb, resource, namespace):
                raise ApiError(403, "Forbidden", denial.message)

    def review(self, review: Object) -> Object:
        """Answers a ``SelfSubjectAccessReview``."""
        asked = (review.get("spec") or {}).get("resourceAttributes") or {}
        resource = asked.get("resource", "")
        if asked.get("subresource"):
            resource += f"/{asked['subresource']}"
        allowed = self.allows(asked.get("verb", ""), resource, asked.get("namespace", ""))
        return {**review, "status": {"allowed": allowed}}
