"""A policy for the cluster: our account may change images, our annotations and replicas only.

RBAC cannot restrict fields: who may patch a Deployment may run anything in its namespace. This
ValidatingAdmissionPolicy closes that, for clusters that have it (Kubernetes 1.30 and later).
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

from collections.abc import Sequence

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.push_record import CHANGE_CAUSE

NAME = "webhook-service-images-only"
API = "admissionregistration.k8s.io/v1"
PREFIX = "webhook-service.io/"

# Everything else than the image; a test compares these with the API's own types.
CONTAINER = (
    "args command env envFrom imagePullPolicy lifecycle livenessProbe ports readinessProbe "
    "resizePolicy resources restartPolicy restartPolicyRules securityContext startupProbe stdin "
    "stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts "
    "workingDir"
).split()
POD = (
    "activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy "
    "enableServiceLinks ephemeralContainers evictionResponders hostAliases hostIPC hostNetwork "
    "hostPID hostUsers hostname hostnameOverride imagePullSecrets nodeName nodeSelector os "
    "overhead preemptionPolicy priority priorityClassName readinessGates resourceClaims resources "
    "restartPolicy runtimeClassName schedulerName schedulingGates schedulingGroup securityContext "
    "serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain "
    "terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes"
).split()
# The rolling settings of a strategy are open: strategy, updateStrategy, minReadySeconds.
WORKLOAD = (
    "concurrencyPolicy failedJobsHistoryLimit ordinals paused "
    "persistentVolumeClaimRetentionPolicy podManagementPolicy progressDeadlineSeconds "
    "revisionHistoryLimit schedule selector serviceName startingDeadlineSeconds "
    "successfulJobsHistoryLimit suspend timeZone volumeClaimTemplates"
).split()
JOB = (
    "activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy "
    "manualSelector maxFailedIndexes parallelism podFailurePolicy podReplacementPolicy scheduling "
    "selector successPolicy suspend ttlSecondsAfterFinished"
).split()


def policy(account: str) -> tuple[Json, Json]:
    """The policy and its binding.

    Args:
        account: whom it binds, ``system:serviceaccount:<namespace>:<name>``.
    """
    validations = [
        _validation(_same("object.spec", "oldObject.spec", WORKLOAD), "the workload's spec"),
        _validation(_same_job(), "the settings of jobs"),
        _validation(_same("variables.pod", "variables.oldPod", POD), "the pods' spec"),
        *(_validation(_same_containers(key), key) for key in ("containers", "initContainers")),
        _validation(_ours("object", "oldObject"), "the annotations of others"),
        _validation(
            _ours("variables.template", "variables.oldTemplate"), "the pods' other annotations"
        ),
        _validation(_same_labels("object", "oldObject"), "the labels"),
        _validation(
            _same_labels("variables.template", "variables.oldTemplate"), "the pods' labels"
        ),
    ]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": _RULES},
        "matchConditions": [
            {"name": "our-account", "expression": f"request.userInfo.username == '{account}'"}
        ],
        "variables": _VARIABLES,
        "validations": validations,
    }
    binding = {"policyName": NAME, "validationActions": ["Deny"]}
    return (
        _manifest("ValidatingAdmissionPolicy", spec),
        _manifest("ValidatingAdmissionPolicyBinding", binding),
    )


_RULES = [
    {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": resources,
    }
    for group, resources in (
        ("apps", ["deployments", "statefulsets", "daemonsets"]),
        ("batch", ["cronjobs"]),
    )
]


def _template(obj: str) -> str:
    job = f"{obj}.spec.jobTemplate.spec.template"
    return f"has({obj}.spec.jobTemplate) ? {job} : {obj}.spec.template"


_VARIABLES = [
    {"name": "template", "expression": _template("object")},
    {"name": "oldTemplate", "expression": _template("oldObject")},
    {"name": "pod", "expression": "variables.template.spec"},
    {"name": "oldPod", "expression": "variables.oldTemplate.spec"},
]


def _manifest(kind: str, spec: Json) -> Json:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": NAME}, "spec": spec}


def _validation(expression: str, what: str) -> Json:
    message = f"webhook-service may change images, its own annotations and replicas, not {what}."
    return {"expression": expression, "message": message}


def _same_field(new: str, old: str) -> str:
    return f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"


def _same(new: str, old: str, fields: Sequence[str]) -> str:
    return " && ".join(f"({_same_field(f'{new}.{field}', f'{old}.{field}')})" for field in fields)


def _same_job() -> str:
    job = "object.spec.jobTemplate.spec"
    return f"!has(object.spec.jobTemplate) || ({_same(job, f'oldObject{job[6:]}', JOB)})"


def _same_containers(key: str) -> str:
    """The same containers in the same number; only their images may differ."""
    new, old = f"variables.pod.{key}", f"variables.oldPod.{key}"
    same = _same("c", "o", CONTAINER)
    each = f"{new}.all(c, {old}.exists(o, o.name == c.name && {same}))"
    return f"has({new}) == has({old}) && (!has({new}) || ({new}.size() == {old}.size() && {each}))"


def _same_labels(new: str, old: str) -> str:
    same = _same_field(f"{new}.metadata.labels", f"{old}.metadata.labels")
    return f"!has({new}.metadata) || ({same})"


def _ours(new: str, old: str) -> str:
    """Whatever differs between the annotations is ours, in both directions."""
    return f"{_kept(new, old)} && {_kept(old, new)}"


def _kept(there: str, here: str) -> str:
    notes, others = f"{there}.metadata.annotations", f"{here}.metadata.annotations"
    ours = f"k.startsWith('{PREFIX}') || k == '{CHANGE_CAUSE}'"
    kept = f"(has({here}.metadata) && has({others}) && k in {others} && {others}[k] == {notes}[k])"
    absent = f"!has({there}.metadata) || !has({notes})"
    return f"({absent} || {notes}.all(k, {ours} || {kept}))"
