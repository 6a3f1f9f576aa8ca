"""Which namespaces a project may touch, checked on every call to a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from webhook_service import DriverError

EVERY_PROJECT = "*"
SYSTEM = "kube-*"


@dataclass(frozen=True, slots=True)
class Grants:
    """What the operator grants.

    Args:
        patterns: by project, ``namespace`` or ``cluster/namespace``, with ``*`` in either; the
            project ``*`` stands for every one. Without any, all projects may touch all namespaces
            but those of Kubernetes itself (``kube-*``).
    """

    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def require(self, project: str, cluster: str, namespace: str) -> None:
        """
        Raises:
            DriverError: the project may not touch this namespace.
        """
        if not self.allows(project, cluster, namespace):
            raise DriverError(
                f"Project {project or '(none)'} may not touch namespace {namespace} of cluster "
                f"{cluster}: the operator of webhook-service can grant it "
                "(WEBHOOK_SERVICE_NAMESPACES).",
                code="namespace_not_granted",
            )

    def allows(self, project: str, cluster: str, namespace: str) -> bool:
        if not self.patterns:
            return not fnmatchcase(namespace, SYSTEM)
        granted = (*self.patterns.get(project, ()), *self.patterns.get(EVERY_PROJECT, ()))
        return any(_matches(pattern, cluster, namespace) for pattern in granted)


def _matches(pattern: str, cluster: str, namespace: str) -> bool:
    where, slash, name = pattern.rpartition("/")
    return fnmatchcase(namespace, name) and (not slash or fnmatchcase(cluster, where))
