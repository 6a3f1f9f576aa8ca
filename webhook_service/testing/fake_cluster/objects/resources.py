"""Which resources the fake cluster serves: one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API.

    Args:
        api_version: ``v1`` or ``group/version``.
        plural: as in paths, for example ``deployments``.
        kind: as in manifests, for example ``Deployment``.
        namespaced: whether its objects live in namespaces.
        status: whether it has the subresource ``/status``.
        scale: whether it has the subresource ``/scale``.
        generation: whether a change of the spec raises ``metadata.generation``.
        annotated: whether a change of the annotations raises it too.
        custom: a custom resource: no strategic merge, as on a real server.
        schema: of a custom resource, the structural schema that its definition has.
        connects: subresources that lead out of the API: ``log``, ``proxy``.
        fields: field selectors beyond ``metadata.name`` and ``metadata.namespace``.
        short: what kubectl calls it, for example ``deploy``.
    """

    api_version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    scale: bool = False
    generation: bool = False
    annotated: bool = False
    custom: bool = False
    schema: Object = field(default_factory=dict, compare=False)
    connects: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    short: str = ""

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def qualified(self) -> str:
        """The name in messages: ``deployments.apps``, ``pods``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def subresources(self) -> tuple[str, ...]:
        offered = (("status", self.status), ("scale", self.scale))
        return (*(name for name, present in offered if present), *self.connects)


INVOLVED = tuple(f"involvedObject.{field}" for field in ("name", "namespace", "kind", "uid"))

NAMESPACES = Resource("v1", "namespaces", "Namespace", namespaced=False, status=True, short="ns")
PODS = Resource(
    "v1",
    "pods",
    "Pod",
    status=True,
    connects=("log",),
    fields=("status.phase", "spec.nodeName"),
    short="po",
)
POD_TEMPLATES = Resource("v1", "podtemplates", "PodTemplate")
SERVICES = Resource("v1", "services", "Service", status=True, connects=("proxy",), short="svc")
QUOTAS = Resource("v1", "resourcequotas", "ResourceQuota", status=True, short="quota")
EVENTS = Resource("v1", "events", "Event", fields=(*INVOLVED, "reason", "type"))
CONFIGMAPS = Resource("v1", "configmaps", "ConfigMap", short="cm")
ENDPOINTS = Resource("v1", "endpoints", "Endpoints")
DEPLOYMENTS = Resource(
    "apps/v1",
    "deployments",
    "Deployment",
    status=True,
    scale=True,
    generation=True,
    annotated=True,
    short="deploy",
)
REPLICASETS = Resource(
    "apps/v1", "replicasets", "ReplicaSet", status=True, scale=True, generation=True, short="rs"
)
STATEFULSETS = Resource(
    "apps/v1", "statefulsets", "StatefulSet", status=True, scale=True, generation=True, short="sts"
)
DAEMONSETS = Resource(
    "apps/v1", "daemonsets", "DaemonSet", status=True, generation=True, short="ds"
)
REVISIONS = Resource("apps/v1", "controllerrevisions", "ControllerRevision")
JOBS = Resource("batch/v1", "jobs", "Job", status=True, generation=True)
CRONJOBS = Resource("batch/v1", "cronjobs", "CronJob", status=True, generation=True)
AUTOSCALERS = Resource(
    "autoscaling/v1",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    status=True,
    short="hpa",
)
BUDGETS = Resource(
    "policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", status=True, short="pdb"
)
DEFINITIONS = Resource(
    "apiextensions.k8s.io/v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
    status=True,
    generation=True,
    short="crd",
)
ENDPOINTSLICES = Resource("discovery.k8s.io/v1", "endpointslices", "EndpointSlice")
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False
)

RESOURCES = (
    NAMESPACES,
    PODS,
    POD_TEMPLATES,
    SERVICES,
    EVENTS,
    CONFIGMAPS,
    ENDPOINTS,
    DEPLOYMENTS,
    REPLICASETS,
    STATEFULSETS,
    DAEMONSETS,
    REVISIONS,
    JOBS,
    CRONJOBS,
    ENDPOINTSLICES,
    QUOTAS,
    AUTOSCALERS,
    BUDGETS,
    DEFINITIONS,
    ACCESS_REVIEWS,
)


class Catalogue:
    """Finds resources by path and by kind: the built-in ones, and those that are defined.

    Args:
        defined: gives the custom resources of this moment.
    """

    def __init__(self, defined: Callable[[], Iterable[Resource]] = tuple) -> None:
        self._defined = defined

    @property
    def resources(self) -> tuple[Resource, ...]:
        return (*RESOURCES, *self._defined())

    def at(self, api_version: str, plural: str) -> Resource | None:
        known = _PATHS.get((api_version, plural))
        places = (
            {(item.api_version, item.plural): item for item in self._defined()} if not known else {}
        )
        return known or places.get((api_version, plural))

    def of_kind(self, kind: str) -> Resource:
        """The resource of a kind.

        Raises:
            KeyError: the fake cluster does not serve this kind.
        """
        known = _KINDS.get(kind)
        return known or {item.kind: item for item in self._defined()}[kind]


_PATHS = {(item.api_version, item.plural): item for item in RESOURCES}
_KINDS = {item.kind: item for item in RESOURCES}
