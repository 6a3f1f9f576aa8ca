"""Which namespaces a project may touch, checked on every call to a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from webhook_service import DriverError

EVERY_PROJECT = "*"
SYSTEM = "kube-*"
SETTING = "WEBHOOK_SERVICE_NAMESPACES"


@dataclass(frozen=True, slots=True)
class Grants:
    """What the operator grants.

    Without any patterns, a project that has the service for itself may touch all namespaces but
    those of Kubernetes itself (``kube-*``). One that shares it may touch the namespace of its own
    name, in the default cluster.

    Args:
        patterns: by project, ``namespace`` or ``cluster/namespace``, with ``*`` in either; the
            project ``*`` stands for every one.
    """

    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, project: str, cluster: str, *, shared: bool, default: bool) -> Grant:
        """What a project may touch in one cluster.

        Args:
            cluster: by the name that the receiver uses, or the default one's.
            shared: whether other projects use the service too.
            default: whether the receiver names no cluster.
        """
        if self.patterns:
            granted = (*self.patterns.get(project, ()), *self.patterns.get(EVERY_PROJECT, ()))
            return Grant(project, cluster, granted)
        if not shared:
            return Grant(project, cluster, alone=True)
        return Grant(project, cluster, own=project if default else None)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one project may touch in one cluster.

    Attributes:
        patterns: those that the operator wrote for it.
        own: a namespace that it may touch without being told so.
        alone: whether it may touch every namespace but those of Kubernetes itself.
    """

    project: str
    cluster: str
    patterns: Sequence[str] = ()
    own: str | None = None
    alone: bool = False

    def require(self, namespace: str) -> None:
        """
        Raises:
            DriverError: the project may not touch this namespace.
        """
        if not self.allows(namespace):
            raise DriverError(
                f"Project {self.project or '(none)'} may not touch namespace {namespace} of "
                f"cluster {self.cluster}: the operator of webhook-service can grant it. Add "
                f'"{self.cluster}/{namespace}" to the project\'s list in {SETTING}.',
                code="namespace_not_granted",
            )

    def allows(self, namespace: str) -> bool:
        if any(_matches(pattern, self.cluster, namespace) for pattern in self.patterns):
            return True
        return (self.alone or namespace == self.own) and not fnmatchcase(namespace, SYSTEM)

    @property
    def named(self) -> tuple[str, ...]:
        """The namespaces that it names, where the cluster does not let us list them."""
        last = [pattern.rpartition("/")[2] for pattern in self.patterns]
        names = {name for name in [*last, self.own or ""] if name and "*" not in name}
        return tuple(sorted(name for name in names if self.allows(name)))


def _matches(pattern: str, cluster: str, namespace: str) -> bool:
    where, slash, name = pattern.rpartition("/")
    return fnmatchcase(namespace, name) and (not slash or fnmatchcase(cluster, where))
