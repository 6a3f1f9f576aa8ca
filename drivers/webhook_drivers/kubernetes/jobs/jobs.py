"""Jobs: how one is made from a template, and what its status means. Pure.

https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256

from webhook_drivers.kubernetes.api.resources import Json, Resource
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, annotation, dig
from webhook_service import DriverError

JOBS = Resource("Job", "batch", "v1", "jobs")
CRON_JOBS = WORKLOADS["CronJob"].resource
POD_TEMPLATES = Resource("PodTemplate", "", "v1", "podtemplates")
EXECUTION = "webhook-service.io/execution"
DELIVERY = "webhook-service.io/delivery"
MANUAL = "cronjob.kubernetes.io/instantiate"
MAX_BASE = 40
MAX_TEXT = 256


@dataclass(frozen=True, slots=True)
class JobLimits:
    """How often a Job tries, how long it may run, and how long it is kept; in seconds."""

    backoff: int | None
    deadline: int
    keep: int


def job_name(base: str, execution: str) -> str:
    """The same for each step of an execution, so that a repeated one creates no second Job."""
    digest = sha256(execution.encode()).hexdigest()[:16]
    return f"{base[:MAX_BASE].rstrip('.-').replace('.', '-')}-{digest}"


def job_spec(source: Json) -> Json:
    """The Job's spec that a CronJob or a PodTemplate holds, to be changed."""
    if source.get("kind") == POD_TEMPLATES.kind:
        return {"template": _runs_once(deepcopy(source.get("template") or {}))}
    return deepcopy(dig(source, "spec", "jobTemplate", "spec"))


def chosen_container(source: Json, spec: Json, name: str | None) -> Json:
    """The container of a name, or the first.

    Raises:
        DriverError: there is none.
    """
    found = dig(spec, "template", "spec").get("containers") or ()
    for item in found:
        if name in (None, item.get("name")):
            chosen: Json = item
            return chosen
    where = f"{source.get('kind')} {dig(source, 'metadata').get('name')}"
    names = ", ".join(str(item.get("name")) for item in found) or "none"
    raise DriverError(
        f"{where} has no container {name} (it has {names}): correct `container`.",
        code="container_not_found",
    )


def manifest(name: str, spec: Json, limits: JobLimits, execution: str, delivery: str) -> Json:
    """The Job to create."""
    spec = {
        **spec,
        **({} if limits.backoff is None else {"backoffLimit": limits.backoff}),
        "activeDeadlineSeconds": limits.deadline,
        "ttlSecondsAfterFinished": limits.keep,
    }
    annotations = {EXECUTION: execution, DELIVERY: delivery, MANUAL: "manual"}
    labels = {"app.kubernetes.io/managed-by": "webhook-service"}
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {"name": name, "annotations": annotations, "labels": labels},
        "spec": spec,
    }


def is_of(job: Json, execution: str) -> bool:
    return annotation(job, EXECUTION) == execution


def ended(job: Json) -> bool | None:
    """Whether a Job succeeded; None while it runs."""
    if _condition(job, "Complete"):
        return True
    return False if _condition(job, "Failed") else None


def failure_of(job: Json) -> str:
    """Why a Job failed, as its controller says it."""
    condition = _condition(job, "Failed")
    said = condition.get("message") or condition.get("reason") or "it failed"
    return str(said)[:MAX_TEXT].rstrip(".")


def _condition(job: Json, kind: str) -> Json:
    for item in dig(job, "status").get("conditions") or ():
        if item.get("type") == kind and item.get("status") == "True":
            found: Json = item
            return found
    return {}


def _runs_once(template: Json) -> Json:
    """A Job's pods are not restarted for ever, as the default of a PodTemplate is."""
    spec = template.setdefault("spec", {})
    if spec.get("restartPolicy", "Always") == "Always":
        spec["restartPolicy"] = "Never"
    metadata = template.get("metadata") or {}
    kept = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    return {"metadata": kept, "spec": spec}
