"""The rights that drivers need in a cluster, to ask for and to grant them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.faults import GRANT
from webhook_drivers.kubernetes.api.resources import EVENTS, Address, Json, Resource


@dataclass(frozen=True, slots=True)
class Right:
    """Some verbs on a kind, or on a subresource of it.

    Attributes:
        optional: without it the driver works, and does a little less.
    """

    resource: Resource
    verbs: tuple[str, ...]
    subresource: str = ""
    optional: bool = False

    @property
    def plural(self) -> str:
        """As RBAC names it: ``deployments``, ``services/proxy``."""
        plural = self.resource.plural
        return f"{plural}/{self.subresource}" if self.subresource else plural

    @property
    def rule(self) -> Json:
        """As a rule of a Role."""
        verbs = list(self.verbs)
        return {"apiGroups": [self.resource.group], "resources": [self.plural], "verbs": verbs}


CREATE_EVENTS = Right(EVENTS, ("create",), optional=True)


def role(name: str, rights: Sequence[Right]) -> Json:
    """A Role with these rights, without a namespace."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": [right.rule for right in rights],
    }


def missing(cluster: Cluster, rights: Sequence[Right], namespace: str, name: str = "") -> list[str]:
    """A sentence for each right that our account lacks there; optional ones are not missed."""
    return [
        denied
        for right in rights
        if not right.optional and (denied := _denied(cluster, right, namespace, name))
    ]


def _denied(cluster: Cluster, right: Right, namespace: str, name: str) -> str:
    address = Address(right.resource, namespace, name)
    verbs = [verb for verb in right.verbs if not cluster.may(verb, address, right.subresource)]
    if not verbs:
        return ""
    group = f".{right.resource.group}" if right.resource.group else ""
    what = f"{' and '.join(verbs)} {right.plural}{group}"
    return f"Not allowed to {what} in namespace {namespace}: {GRANT}"
