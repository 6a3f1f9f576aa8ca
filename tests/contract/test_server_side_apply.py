"""A tool that applies server-side in the middle of a rollout takes the image, and is named."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.client import APPLY, MERGE, Answer, Client
from tests.contract.conftest import Cluster
from tests.drivers.steps import LABELS, SHA, config, context, push, run_to_end
from tests.drivers.strategies.colours import Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import Done, DriverError, Wait

EVENT = push("bad", SHA)
ARGO_CD = {"argocd.argoproj.io/tracking-id": "web:apps/Deployment:shop/shop"}


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    return Shop(client, cluster.kubeconfig, namespace)


@pytest.fixture
def driver(cluster: Cluster) -> Iterator[DeploymentUpdate]:
    with closing(DeploymentUpdate({"kubeconfig": str(cluster.kubeconfig)})) as driver:
        yield driver


def _taken_midway(
    driver: DeploymentUpdate, shop: Shop, settings: DeploymentUpdateConfig, manager: str
) -> str:
    """What a push says whose workload a tool applies anew, by force, during the rollout."""
    first = driver.execute(settings, EVENT, context(1))
    assert isinstance(first, Wait)
    pod = {"containers": [{"name": "app", "image": "acme/shop:gitops"}]}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}}
    body |= {"spec": {"template": {"spec": pod}}}
    query: dict[str, Any] = {"fieldManager": manager, "force": "true"}
    shop.client.ok("PATCH", shop._path("Deployment", "shop"), body, APPLY, query)
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, settings, EVENT, replace(context(1), state=first.state))
    return caught.value.message


def recreate(namespace: str) -> DeploymentUpdateConfig:
    return config(namespace, strategy={"type": "recreate"})


@pytest.mark.parametrize("manager", ["kustomize-controller", "argocd-controller", "kubectl"])
@pytest.mark.parametrize("make", [config, recreate, canary, blue_green])
def test_what_is_applied_by_force_during_a_rollout_runs_and_its_manager_is_named(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    make: Callable[[str], DeploymentUpdateConfig],
    manager: str,
) -> None:
    shop.start()
    told = _taken_midway(driver, shop, make(namespace), manager)
    assert f"changed by somebody else ({manager})" in told
    assert shop.image() == "acme/shop:gitops"
    assert shop.selector() == LABELS
    assert shop.find("Deployment", "shop-green") is None
    assert shop.find("Deployment", "shop-canary") is None


@pytest.mark.parametrize("make", [canary, blue_green])
def test_nobody_is_told_to_push_a_newer_image_against_a_tool_that_takes_it_back(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    make: Callable[[str], DeploymentUpdateConfig],
) -> None:
    shop.start()
    path = shop._path("Deployment", "shop")
    shop.client.ok("PATCH", path, {"metadata": {"annotations": ARGO_CD}}, MERGE)
    told = _taken_midway(driver, shop, make(namespace), "argocd-controller")
    assert "pushing a newer image is in vain, for Argo CD application web sets" in told


@pytest.mark.parametrize("make", [config, recreate, canary, blue_green])
def test_a_tool_that_applies_without_force_is_refused_and_the_push_comes_to_its_end(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    make: Callable[[str], DeploymentUpdateConfig],
) -> None:
    shop.start()
    owned = _applied(shop, "acme/shop:1", force="true")
    assert owned.code == 200
    assert isinstance(run_to_end(driver, make(namespace), push("2", SHA), context(1)), Done)
    refused = _applied(shop, "acme/shop:1")
    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    (cause,) = refused.body["details"]["causes"]
    assert cause == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "webhook-service" using apps/v1',
        "field": '.spec.template.spec.containers[name="app"].image',
    }
    assert refused.body["message"] == (
        f"Apply failed with 1 conflict: {cause['message']}: {cause['field']}"
    )
    shop.assert_at_rest(f"acme/shop:2@{SHA}")
    agreed = _applied(shop, f"acme/shop:2@{SHA}")
    assert agreed.code == 200, "who applies what runs is refused nothing"


def _applied(shop: Shop, image: str, **query: Any) -> Answer:
    """What the cluster answers to a tool that applies the Deployment's image."""
    pod = {"containers": [{"name": "app", "image": image}]}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}}
    body |= {"spec": {"template": {"spec": pod}}}
    asked = {"fieldManager": "gitops", **query}
    return shop.client.send("PATCH", shop._path("Deployment", "shop"), body, APPLY, asked)
