"""Addresses of objects in the Kubernetes API: kinds, their paths and their names in RBAC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

Json: TypeAlias = dict[str, Any]
_OWN_DOMAIN = ".k8s.io"
_OWN_GROUPS = (
    "admissionregistration apiextensions apiregistration auditregistration authentication "
    "authorization certificates coordination discovery events flowcontrol.apiserver imagepolicy "
    "internal.apiserver lifecycle metrics networking node rbac.authorization resource scheduling "
    "settings storage storagemigration"
).split()


def is_built_in(group: str) -> bool:
    """Whether the kinds of an API group are Kubernetes' own, and no custom ones.

    The group of a custom kind has a dot, as a domain has.
    https://kubernetes.io/docs/reference/using-api/#api-groups
    """
    own = group.endswith(_OWN_DOMAIN) and group.removesuffix(_OWN_DOMAIN) in _OWN_GROUPS
    return "." not in group or own


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced kind as the API names it; ``group`` is empty for the core group."""

    kind: str
    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name in messages and in ``kubectl``: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str, name: str = "") -> str:
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = [root, self.version, "namespaces", quote(namespace, safe=""), self.plural]
        return "/".join([*parts, quote(name, safe="")] if name else parts)


@dataclass(frozen=True, slots=True)
class Address:
    """One object: which resource, where, and its name. As text: ``Deployment shop/shop``."""

    resource: Resource
    namespace: str
    name: str

    @property
    def path(self) -> str:
        return self.resource.path(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.namespace}/{self.name}"


NAMESPACES = Resource("Namespace", "", "v1", "namespaces")
EVENTS = Resource("Event", "", "v1", "events")
PODS = Resource("Pod", "", "v1", "pods")
SERVICES = Resource("Service", "", "v1", "services")
REPLICASETS = Resource("ReplicaSet", "apps", "v1", "replicasets")

APPLICATIONS = Resource("Application", "argoproj.io", "v1alpha1", "applications")
KUSTOMIZATIONS = Resource("Kustomization", "kustomize.toolkit.fluxcd.io", "v1", "kustomizations")
HELM_RELEASES = Resource("HelmRelease", "helm.toolkit.fluxcd.io", "v2", "helmreleases")
KNATIVE_SERVICES = Resource("Service", "serving.knative.dev", "v1", "services")
