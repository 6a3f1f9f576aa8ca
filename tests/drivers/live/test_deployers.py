"""The marks of the tools that deploy workloads, as those tools write them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.drivers.steps import workload
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_drivers.kubernetes.live.deployers import Writer, deployer, warning, writer

HELM = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "shop"}
OPERATOR = {"kind": "NetObserv", "name": "cluster", "controller": True, "uid": "1"}
IMAGE = {"k:" + '{"name":"app"}': {".": {}, "f:image": {}}}


def marked(kind: str = "Deployment", **metadata: Any) -> dict[str, Any]:
    obj = workload(kind)
    obj["metadata"] |= metadata
    return obj


def written(manager: str, at: str, fields: dict[str, Any], kind: str = "Deployment") -> Any:
    tree: dict[str, Any] = {"f:template": {"f:spec": {"f:containers": fields}}}
    if kind == "CronJob":
        tree = {"f:jobTemplate": {"f:spec": tree}}
    return {"manager": manager, "time": at, "fieldsV1": {"f:spec": tree}}


@pytest.mark.parametrize(
    ("metadata", "name", "advice"),
    [
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:a/shop"}},
            "Argo CD application shop",
            "ignoreDifferences",
        ),
        (
            {"labels": {**HELM, "argocd.argoproj.io/instance": "shop"}},
            "Argo CD application shop",
            "commit the image to Git",
        ),
        (
            {
                "labels": {
                    "kustomize.toolkit.fluxcd.io/name": "apps",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                }
            },
            "Flux Kustomization flux-system/apps",
            "reconcile: disabled",
        ),
        (
            {"labels": {**HELM, "helm.toolkit.fluxcd.io/name": "shop"}},
            "Flux HelmRelease shop",
            "driftDetection.ignore",
        ),
        ({"labels": HELM}, "Helm release shop", "helm upgrade --set"),
        (
            {"annotations": {"meta.helm.sh/release-name": "web"}},
            "Helm release web",
            "helm upgrade --set",
        ),
        ({"ownerReferences": [OPERATOR]}, "NetObserv cluster", "in NetObserv cluster instead"),
        (
            {"managedFields": [{"manager": "argocd-controller", "fieldsV1": {}}]},
            "Argo CD",
            "commit the image to Git",
        ),
        (
            {"managedFields": [{"manager": "kustomize-controller", "fieldsV1": {}}]},
            "Flux",
            "commit the image to Git",
        ),
    ],
)
def test_each_tool_is_known_by_its_marks(metadata: Any, name: str, advice: str) -> None:
    found = deployer(marked(**metadata))
    assert found is not None
    assert found.name == name
    assert advice in warning("Deployment a/shop", found)


def test_what_people_apply_themselves_is_deployed_by_no_tool() -> None:
    manager = {"manager": "kubectl-client-side-apply", "fieldsV1": {}}
    plain = {"app.kubernetes.io/managed-by": "kustomize", "app.kubernetes.io/instance": "shop"}
    owner = {**OPERATOR, "controller": False}
    assert deployer(marked(labels=plain, managedFields=[manager], ownerReferences=[owner])) is None
    assert deployer(workload()) is None


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_the_last_writer_of_an_image_is_found(kind: str) -> None:
    entries = [
        written("kubectl-set", "2026-01-02T00:00:00Z", IMAGE, kind),
        written("helm", "2026-01-01T00:00:00Z", IMAGE, kind),
        written("hpa", "2026-01-03T00:00:00Z", {'k:{"name":"proxy"}': {"f:image": {}}}, kind),
    ]
    found = writer(WORKLOADS[kind], marked(kind, managedFields=entries), "app")
    assert found == Writer("kubectl-set", datetime(2026, 1, 2, tzinfo=UTC))
    assert writer(WORKLOADS[kind], workload(kind), "app") is None


def test_broken_notes_are_passed_over() -> None:
    broken = [{"manager": None, "fieldsV1": []}, written("kubectl", "yesterday", IMAGE)]
    found = writer(WORKLOADS["Deployment"], marked(managedFields=broken), "app")
    assert found == Writer("kubectl")
