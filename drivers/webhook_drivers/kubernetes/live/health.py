"""Whether a resource of any kind is as its spec says. Pure functions over its JSON.

The rules are kstatus's, and Argo CD's own for its Application:
https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
https://argo-cd.readthedocs.io/en/stable/operator-manual/health/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook_drivers.kubernetes.api.resources import (
    HELM_RELEASES,
    KNATIVE_SERVICES,
    KUSTOMIZATIONS,
    Json,
)
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, progress
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, dig

MAX_SAID = 500
SAYING_READY = tuple(each.group for each in (KUSTOMIZATIONS, HELM_RELEASES, KNATIVE_SERVICES))
BUILT_IN = ("Deployment", "StatefulSet", "DaemonSet")


def health(obj: Json) -> Progress:
    """How far the controller of an object is with its newest spec.

    An object without any status counts as complete, for nobody says that there is more to wait
    for; but not where its controller is known to say so.
    """
    kind, group = str(obj.get("kind")), str(obj.get("apiVersion", "")).partition("/")[0]
    if kind in BUILT_IN and kind in WORKLOADS and group == "apps":
        return progress(kind, obj)
    status = dig(obj, "status")
    if group == "argoproj.io" and kind == "Application":
        return _application(dig(obj, "spec"), status)
    observed = status.get("observedGeneration")
    generation = dig(obj, "metadata").get("generation")
    if observed is not None and generation is not None and observed != generation:
        return Progress(Stage.GOING, "its controller has not seen the change yet")
    return _conditions(status, group in SAYING_READY)


def _conditions(status: Json, speaks: bool) -> Progress:
    found = {str(item.get("type")): item for item in status.get("conditions") or ()}
    if _is(found, "Stalled", "True"):
        return Progress(Stage.FAILED, _said(found["Stalled"]))
    if _is(found, "Reconciling", "True"):
        return Progress(Stage.GOING, _said(found["Reconciling"]))
    if "Ready" not in found and speaks:
        return Progress(Stage.GOING, "its controller has said nothing yet")
    if "Ready" not in found or _is(found, "Ready", "True"):
        return Progress(Stage.COMPLETE, _said(found.get("Ready", {})) or "it is as it should be")
    return Progress(Stage.GOING, _said(found["Ready"]) or "it is not ready yet")


def _application(spec: Json, status: Json) -> Progress:
    """What Argo CD says, once it speaks of the sources that the spec has now."""
    sync, state = dig(status, "sync"), dig(status, "health").get("status")
    if "comparedTo" in sync and not _is_of(dig(sync, "comparedTo"), spec):
        return Progress(Stage.GOING, "Argo CD has not compared the change yet")
    operation = dig(status, "operationState")
    result = dig(operation, "syncResult")
    if operation.get("phase") in ("Failed", "Error") and (not result or _is_of(result, spec)):
        return Progress(
            Stage.FAILED, f"the sync failed: {str(operation.get('message'))[:MAX_SAID]}"
        )
    message = f"sync is {sync.get('status') or 'unknown'}, health is {state or 'unknown'}"
    if sync.get("status") != "Synced":
        return Progress(Stage.GOING, message)
    stages = {"Healthy": Stage.COMPLETE, "Degraded": Stage.FAILED}
    return Progress(stages.get(str(state), Stage.GOING), message)


def _is_of(said: Json, spec: Json) -> bool:
    """Whether Argo CD speaks of these sources; what is empty it may leave out."""
    return all(
        _filled(said.get(key)) == _filled(spec[key]) for key in ("source", "sources") if key in spec
    )


def _filled(value: Any) -> Any:
    """A value without what is empty in it."""
    if isinstance(value, dict):
        return {key: kept for key, item in value.items() if (kept := _filled(item))} or None
    if isinstance(value, list):
        return [_filled(item) for item in value] or None
    return value or None


def _is(found: Mapping[str, Json], name: str, status: str) -> bool:
    return name in found and found[name].get("status") == status


def _said(condition: Json) -> str:
    reason, message = condition.get("reason") or "", condition.get("message") or ""
    return ": ".join(part for part in (str(reason), str(message)[:MAX_SAID]) if part)
