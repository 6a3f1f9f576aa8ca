"""The Job controller: pods until enough succeeded, or too many failed."""

from __future__ import annotations

from webhook_service.testing.fake_cluster.api.verbs import suffix
from webhook_service.testing.fake_cluster.controllers.controller import ControllerView
from webhook_service.testing.fake_cluster.controllers.kubelet import phase
from webhook_service.testing.fake_cluster.objects.objects import clone, timestamp
from webhook_service.testing.fake_cluster.objects.resources import JOBS, PODS, Object

LABELS = ("controller-uid", "job-name")


def reconcile_job(view: ControllerView, job: Object) -> None:
    """Starts the pods that are missing, without a back-off, and counts the others."""
    before = job.get("status") or {}
    if any(c["status"] == "True" for c in before.get("conditions") or ()):
        return
    phases = [phase(pod) for pod in view.children(job, PODS)]
    succeeded, failed = phases.count("Succeeded"), phases.count("Failed")
    active = len(phases) - succeeded - failed
    status: Object = {"startTime": before.get("startTime") or timestamp()}
    if failed > job["spec"]["backoffLimit"]:
        message = "Job has reached the specified backoff limit"
        status["conditions"] = [_condition("Failed", "BackoffLimitExceeded", message)]
    elif succeeded >= job["spec"]["completions"]:
        status["conditions"] = [_condition("Complete", "", "")]
        status["completionTime"] = timestamp()
    elif not job["spec"].get("suspend"):
        left = job["spec"]["completions"] - succeeded
        for _ in range(min(job["spec"]["parallelism"], left) - active):
            _start(view, job)
            active += 1
    status |= {"active": active, "succeeded": succeeded, "failed": failed}
    view.set_status(JOBS, job, status)


def trigger(view: ControllerView, cron_job: Object) -> Object:
    """Creates a Job as the CronJob controller does when the time has come."""
    template = cron_job["spec"]["jobTemplate"]
    name = f"{cron_job['metadata']['name']}-{suffix()}"
    made = {key: clone(value) for key, value in (template.get("metadata") or {}).items()}
    with view.store.changed:
        job = {"metadata": made | {"name": name}, "spec": clone(template["spec"])}
        return view.create(JOBS, cron_job, job)


def _start(view: ControllerView, job: Object) -> None:
    values = (job["metadata"]["uid"], job["metadata"]["name"])
    view.create_pod(job, job["spec"]["template"], dict(zip(LABELS, values, strict=True)))


def _condition(kind: str, reason: str, message: str) -> Object:
    now = timestamp()
    found = {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
    return found | ({"reason": reason, "message": message} if reason else {})
