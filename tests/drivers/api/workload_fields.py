"""Every field of the workloads that drivers change, by level: open to our account, or closed.

A field that a newer Kubernetes has and no list names is closed too; it is to be looked at and named
here, as a test against the API's own types demands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.servers.control_plane import ControlPlane

Object = dict[str, Any]


@dataclass(frozen=True)
class Level:
    """A map on the way from a workload to its images, as the API names its type and fields."""

    path: tuple[str | int, ...]
    type: str
    open: frozenset[str]
    closed: frozenset[str]

    @property
    def fields(self) -> frozenset[str]:
        return self.open | self.closed

    @property
    def where(self) -> str:
        return ".".join(map(str, self.path)) or "object"

    def of(self, obj: Object) -> Object:
        found: Any = obj
        for step in self.path:
            found = found[step]
        map_: Object = found
        return map_


def _level(path: Sequence[str | int], kind: str, open_: str, closed: str) -> Level:
    return Level(tuple(path), kind, frozenset(open_.split()), frozenset(closed.split()))


METADATA = (
    "creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName labels "
    "name namespace ownerReferences selfLink uid"
)
WRITTEN_BY_THE_SERVER = "generation managedFields resourceVersion"
TEMPLATE_METADATA = f"{METADATA} {WRITTEN_BY_THE_SERVER}"
CONTAINER = (
    "args command env envFrom imagePullPolicy lifecycle livenessProbe name ports readinessProbe "
    "resizePolicy resources restartPolicy restartPolicyRules securityContext startupProbe stdin "
    "stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts "
    "workingDir"
)
POD = (
    "activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy "
    "enableServiceLinks ephemeralContainers evictionResponders hostAliases hostIPC hostNetwork "
    "hostPID hostUsers hostname hostnameOverride imagePullSecrets nodeName nodeSelector os "
    "overhead preemptionPolicy priority priorityClassName readinessGates resourceClaims resources "
    "restartPolicy runtimeClassName schedulerName schedulingGates schedulingGroup securityContext "
    "serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain "
    "terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes"
)
JOB = (
    "activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy "
    "manualSelector maxFailedIndexes parallelism podFailurePolicy podReplacementPolicy scheduling "
    "selector successPolicy suspend ttlSecondsAfterFinished"
)


def _object(kind: str, open_: str, closed: str) -> Iterator[Level]:
    yield _level((), kind, "metadata spec", "apiVersion kind status")
    yield _level(("metadata",), "ObjectMeta", f"annotations {WRITTEN_BY_THE_SERVER}", METADATA)
    yield _level(("spec",), f"{kind}Spec", open_, closed)


def _pods(*path: str) -> Iterator[Level]:
    yield _level(path, "PodTemplateSpec", "metadata spec", "")
    yield _level((*path, "metadata"), "ObjectMeta", "annotations", TEMPLATE_METADATA)
    yield _level((*path, "spec"), "PodSpec", "containers initContainers", POD)
    for key in ("containers", "initContainers"):
        yield _level((*path, "spec", key, 0), "Container", "image", CONTAINER)


def _rolling(field: str, kind: str, limits: str) -> Iterator[Level]:
    yield _level(("spec", field), kind, "rollingUpdate type", "")
    yield _level(("spec", field, "rollingUpdate"), limits, "maxSurge maxUnavailable", "")


LEVELS = {
    "Deployment": (
        *_object(
            "Deployment",
            "minReadySeconds replicas strategy template",
            "paused progressDeadlineSeconds revisionHistoryLimit selector",
        ),
        *_rolling("strategy", "DeploymentStrategy", "RollingUpdateDeployment"),
        *_pods("spec", "template"),
    ),
    "StatefulSet": (
        *_object(
            "StatefulSet",
            "replicas template",
            "minReadySeconds ordinals persistentVolumeClaimRetentionPolicy podManagementPolicy "
            "revisionHistoryLimit selector serviceName updateStrategy volumeClaimTemplates",
        ),
        *_pods("spec", "template"),
    ),
    "DaemonSet": (
        *_object(
            "DaemonSet",
            "minReadySeconds template updateStrategy",
            "revisionHistoryLimit selector",
        ),
        *_rolling("updateStrategy", "DaemonSetUpdateStrategy", "RollingUpdateDaemonSet"),
        *_pods("spec", "template"),
    ),
    "CronJob": (
        *_object(
            "CronJob",
            "jobTemplate",
            "concurrencyPolicy failedJobsHistoryLimit schedule startingDeadlineSeconds "
            "successfulJobsHistoryLimit suspend timeZone",
        ),
        _level(("spec", "jobTemplate"), "JobTemplateSpec", "spec", "metadata"),
        _level(
            ("spec", "jobTemplate", "metadata"),
            "ObjectMeta",
            "",
            f"annotations {TEMPLATE_METADATA}",
        ),
        _level(("spec", "jobTemplate", "spec"), "JobSpec", "template", JOB),
        *_pods("spec", "jobTemplate", "spec", "template"),
    ),
}


EACH_KIND = pytest.mark.parametrize("kind", LEVELS)
EACH_LEVEL = pytest.mark.parametrize(
    ("kind", "level"),
    [
        pytest.param(kind, level, id=f"{kind}-{level.where}")
        for kind, levels in LEVELS.items()
        for level in levels
    ],
)


def workload(kind: str) -> Object:
    """One of the kind, with something at every level."""
    app = {"name": "app", "image": "acme/shop:1", "env": [{"name": "MODE", "value": "live"}]}
    spec: Object = {
        "containers": [app, {"name": "logs", "image": "acme/logs:2"}],
        "initContainers": [
            {"name": "wait", "image": "acme/shop:1"},
            {"name": "migrate", "image": "acme/shop:1"},
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    notes = {"prometheus.io/scrape": "true"}
    template = {"metadata": {"labels": {"app": "shop"}, "annotations": notes}, "spec": spec}
    selector = {"matchLabels": {"app": "shop"}}
    limits = {"maxSurge": 1, "maxUnavailable": 0}
    rolling = {"type": "RollingUpdate", "rollingUpdate": limits}
    specs: dict[str, Object] = {
        "Deployment": {"replicas": 3, "selector": selector, "strategy": rolling},
        "StatefulSet": {"replicas": 3, "selector": selector, "serviceName": "shop"},
        "DaemonSet": {"selector": selector, "updateStrategy": rolling},
        "CronJob": {"schedule": "0 0 1 1 *", "suspend": True},
    }
    if kind == "CronJob":
        spec["restartPolicy"] = "Never"
        job = {"metadata": {"labels": {"team": "shop"}}, "spec": {"template": template}}
    return {
        "apiVersion": "batch/v1" if kind == "CronJob" else "apps/v1",
        "kind": kind,
        "metadata": {
            "name": "shop",
            "labels": {"team": "shop"},
            "annotations": {"team.example/owner": "shop"},
        },
        "spec": specs[kind]
        | ({"jobTemplate": job} if kind == "CronJob" else {"template": template}),
    }


def served_types(plane: ControlPlane) -> Object:
    """The types of a control plane's API, by the last part of their names, such as ``PodSpec``."""
    types = plane.api.get("/openapi/v2")["definitions"]
    return {name.rpartition(".")[2]: schema for name, schema in types.items()}


def leaves(kind: str, level: Level) -> frozenset[str]:
    """The open fields of a level that no other level closes in part."""
    parts = {str(each.path[len(level.path)]) for each in LEVELS[kind] if _is_below(each, level)}
    return level.open - parts - {"annotations"}


def _is_below(inner: Level, outer: Level) -> bool:
    return inner is not outer and inner.path[: len(outer.path)] == outer.path


def pods_of(obj: Object) -> Object:
    """The pod template of a workload."""
    (level,) = [each for each in LEVELS[obj["kind"]] if each.type == "PodTemplateSpec"]
    return level.of(obj)
