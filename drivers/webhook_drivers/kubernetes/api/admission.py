"""A policy for the cluster: of workloads, our account may change what drivers write, and no more.

RBAC cannot restrict fields: who may patch a Deployment may run anything in its namespace. This
ValidatingAdmissionPolicy closes that, for clusters that have it (Kubernetes 1.30 and later).
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/

It names what is open, and compares everything else as a whole: a field that a later Kubernetes adds
is closed from its first day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.push_record import CHANGE_CAUSE

NAME = "webhook-service-images-only"
API = "admissionregistration.k8s.io/v1"
OURS = "k.startsWith('webhook-service.io/')"
MAY = "webhook-service may change images, its own annotations, replicas and rolling settings"
SPECS: Mapping[str, Sequence[str]] = {
    "Deployment": ("minReadySeconds", "replicas", "strategy", "template"),
    "StatefulSet": ("replicas", "template"),
    "DaemonSet": ("minReadySeconds", "template", "updateStrategy"),
    "CronJob": ("jobTemplate",),
}
"""What is open in the spec of each kind: what drivers write there."""
CONTAINERS = ("containers", "initContainers")


@dataclass(frozen=True, slots=True)
class Level:
    """One map in a workload: its keys may not change, but for those that are open.

    Attributes:
        name: of its variables in the policy, which begin with ``new``, ``old`` and ``changed``.
        what: what messages call it.
        places: where it is, on from other levels. The first place that exists counts; where none
            does, the map is empty. Without places it is the whole object.
        keys: the open ones. What is below them, other levels close.
        opens: an expression that is true for more open keys ``k``.
    """

    name: str
    what: str
    places: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    opens: str = "false"

    @property
    def variables(self) -> tuple[Json, ...]:
        """The map as it is to be, as it was, and the keys that differ and are not open."""
        new, old = f"variables.new{self.name}", f"variables.old{self.name}"
        free = f"k in {list(self.keys)}" if self.keys else self.opens
        put = f"{new}.filter(k, !({free} || (k in {old} && {old}[k] == {new}[k])))"
        taken = f"{old}.filter(k, !({free} || k in {new}))"
        return (
            _variable(f"new{self.name}", self._map("new", "object")),
            _variable(f"old{self.name}", self._map("old", "oldObject")),
            _variable(f"changed{self.name}", f"{put} + {taken}"),
        )

    @property
    def validation(self) -> Json:
        changed, message = f"variables.changed{self.name}", f"{MAY}, not {self.what}"
        return {
            "expression": f"{changed}.size() == 0",
            "message": f"{message}.",
            "messageExpression": f"'{message}: ' + {changed}.join(', ') + '.'",
        }

    def _map(self, side: str, root: str) -> str:
        # Typed expressions are checked against every kind, and no kind has the fields of all.
        found = "{}" if self.places else f"dyn({root})"
        for place in reversed(self.places):
            there = f"variables.{side}{place}"
            found = f"has({there}) ? {there} : {found}"
        return found


LEVELS = (
    Level("Object", "the object", (), ("metadata", "spec")),
    # But for the annotations, the API server writes these itself, over what clients say.
    Level(
        "Metadata",
        "its metadata",
        ("Object.metadata",),
        ("annotations", "generation", "managedFields", "resourceVersion"),
    ),
    Level(
        "Annotations",
        "annotations of others",
        ("Metadata.annotations",),
        opens=f"k == '{CHANGE_CAUSE}' || {OURS}",
    ),
    Level("Spec", "its spec", ("Object.spec",), opens="k in variables.openInSpec"),
    Level(
        "Strategy",
        "its strategy",
        ("Spec.strategy", "Spec.updateStrategy"),
        ("rollingUpdate", "type"),
    ),
    Level(
        "Limits",
        "its rolling updates",
        ("Strategy.rollingUpdate",),
        ("maxSurge", "maxUnavailable"),
    ),
    Level("JobTemplate", "the template of its jobs", ("Spec.jobTemplate",), ("spec",)),
    Level("Job", "the spec of its jobs", ("JobTemplate.spec",), ("template",)),
    Level(
        "Template",
        "the template of its pods",
        ("Job.template", "Spec.template"),
        ("metadata", "spec"),
    ),
    Level("PodMetadata", "the metadata of its pods", ("Template.metadata",), ("annotations",)),
    Level(
        "PodAnnotations",
        "annotations of others on its pods",
        ("PodMetadata.annotations",),
        opens=OURS,
    ),
    Level("Pod", "the spec of its pods", ("Template.spec",), CONTAINERS),
)


def policy(accounts: Sequence[str]) -> tuple[Json, Json]:
    """The policy and its binding.

    Args:
        accounts: whom it binds, each ``system:serviceaccount:<namespace>:<name>``.
    """
    ours = f"request.userInfo.username in {list(accounts)}"
    open_in_spec = f"{ {kind: list(keys) for kind, keys in SPECS.items()} }[request.kind.kind]"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": _RULES},
        "matchConditions": [{"name": "our-account", "expression": ours}],
        "variables": [
            _variable("openInSpec", open_in_spec),
            *(variable for level in LEVELS for variable in level.variables),
        ],
        "validations": [
            *(level.validation for level in LEVELS),
            *(_same_but_images(key) for key in CONTAINERS),
        ],
    }
    binding = {"policyName": NAME, "validationActions": ["Deny"]}
    return (
        _manifest("ValidatingAdmissionPolicy", spec),
        _manifest("ValidatingAdmissionPolicyBinding", binding),
    )


# An object's annotations, finalizers and owners can be written through its status, too.
_RULES = [
    {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": [each for plural in plurals for each in (plural, f"{plural}/status")],
    }
    for group, plurals in (
        ("apps", ("deployments", "statefulsets", "daemonsets")),
        ("batch", ("cronjobs",)),
    )
]


def _same_but_images(key: str) -> Json:
    """The same containers in the same order, and all of them as they were but for their images."""
    new, old = (
        f"(has({pod}.{key}) ? {pod}.{key} : [])" for pod in ("variables.newPod", "variables.oldPod")
    )
    put = "c.all(k, k == 'image' || (k in o && o[k] == c[k]))"
    taken = "o.all(k, k == 'image' || k in c)"
    names = f"{new}.map(c, c.name) == {old}.map(o, o.name)"
    each = f"{new}.all(c, {old}.exists(o, o.name == c.name && {put} && {taken}))"
    message = f"{MAY}, not anything else of {key}."
    return {"expression": f"{names} && {each}", "message": message}


def _variable(name: str, expression: str) -> Json:
    return {"name": name, "expression": expression}


def _manifest(kind: str, spec: Json) -> Json:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": NAME}, "spec": spec}
