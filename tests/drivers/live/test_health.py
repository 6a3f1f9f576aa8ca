"""What controllers say of their objects, by kstatus and as Argo CD says it."""

from typing import Any

import pytest

from webhook_drivers.kubernetes.images.rollout import Stage
from webhook_drivers.kubernetes.live.health import health


def flux(ready: str, seen: int = 2, **more: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "reason": "Why", "message": "because"}]
    conditions += [{"type": name, "status": status} for name, status in more.items()]
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"generation": 2},
        "status": {"observedGeneration": seen, "conditions": conditions},
    }


OLD, NEW = {"path": "shop", "chart": ""}, {"path": "shop", "targetRevision": "2"}


def argo(sync: str, state: str, phase: str = "Succeeded", **said: Any) -> dict[str, Any]:
    """An application of the new source.

    Args:
        said: ``compared`` and ``synced`` are the sources of which Argo CD speaks.
    """
    compared = {"comparedTo": {"source": said["compared"]}} if "compared" in said else {}
    status = {"sync": {"status": sync, **compared}, "health": {"status": state}}
    result = {"syncResult": {"source": said["synced"]}} if "synced" in said else {}
    return {
        "spec": {"source": NEW},
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "status": {
            **status,
            "operationState": {"phase": phase, "message": "no such field", **result},
        },
    }


@pytest.mark.parametrize(
    ("obj", "stage", "said"),
    [
        (flux("True"), Stage.COMPLETE, "Why: because"),
        (flux("False"), Stage.GOING, "because"),
        (flux("True", seen=1), Stage.GOING, "not seen the change"),
        (flux("True", Reconciling="True"), Stage.GOING, ""),
        (flux("False", Stalled="True"), Stage.FAILED, ""),
        (argo("Synced", "Healthy"), Stage.COMPLETE, "Healthy"),
        (argo("OutOfSync", "Healthy"), Stage.GOING, "OutOfSync"),
        (argo("Synced", "Progressing"), Stage.GOING, "Progressing"),
        (argo("Synced", "Degraded"), Stage.FAILED, "Degraded"),
        (argo("OutOfSync", "Healthy", "Failed"), Stage.FAILED, "no such field"),
        (argo("OutOfSync", "Degraded"), Stage.GOING, "Degraded"),
        (argo("Synced", "Healthy", compared=OLD), Stage.GOING, "not compared"),
        (argo("Synced", "Healthy", compared={**NEW, "helm": {"a": ""}}), Stage.COMPLETE, ""),
        (argo("OutOfSync", "Healthy", "Failed", synced=OLD), Stage.GOING, "OutOfSync"),
        (argo("OutOfSync", "Healthy", "Failed", synced=NEW), Stage.FAILED, "no such field"),
        ({**flux("True"), "status": {}}, Stage.GOING, "said nothing"),
        ({"kind": "ConfigMap", "metadata": {}}, Stage.COMPLETE, "as it should be"),
    ],
)
def test_an_object_is_judged_by_its_status(obj: dict[str, Any], stage: Stage, said: str) -> None:
    seen = health(obj)
    assert seen.stage is stage and said in seen.message
