"""The target of a push is deleted while an abort takes the push back: what is told is true."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.test_two_objects import step_until
from tests.drivers.steps import LABELS, SHA, config, push
from tests.drivers.strategies.colours import Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import Context, DriverError, Interruption, Wait

OLD, EVENT = "acme/shop:1", push("2", SHA)
GONE = f"Before this push it ran {OLD}."
PUSHES: dict[str, tuple[dict[str, Any], str]] = {
    "rolling": ({}, "pods"),
    "recreate": ({"strategy": {"type": "recreate"}}, "pods"),
    "canary": (
        {
            "strategy": {
                "type": "canary",
                "service": "shop",
                "steps": [{"weight": 50, "pauseSeconds": 600}],
            }
        },
        "next step",
    ),
    "blueGreen, before the switch": (
        {"strategy": {"type": "blueGreen", "service": "shop"}},
        "pods",
    ),
    "blueGreen, after the switch": (
        {"strategy": {"type": "blueGreen", "service": "shop", "keep": "zero"}},
        "kept for",
    ),
}


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    shop = Shop(client, cluster.kubeconfig, namespace)
    shop.start(minReadySeconds=2)  # so that a way back takes a while
    return shop


@pytest.fixture
def driver(cluster: Cluster) -> Iterator[DeploymentUpdate]:
    with closing(DeploymentUpdate({"kubeconfig": str(cluster.kubeconfig)})) as driver:
        yield driver


def told(
    driver: DeploymentUpdate, settings: DeploymentUpdateConfig, at: Context, steps: int = 100
) -> DriverError:
    """How an abort ends whose target is gone."""
    with pytest.raises(DriverError) as caught:
        for _ in range(steps):
            outcome = driver.interrupt(settings, EVENT, at, Interruption.ABORT)
            assert isinstance(outcome, Wait), outcome
            at = replace(at, state=outcome.state)
    return caught.value


# What serves nothing yet goes back in one step: there is nothing to delete it in.
AROUND = [(name, begun) for name in PUSHES for begun in (False, "before the" not in name)]


@pytest.mark.parametrize(("name", "begun"), sorted(set(AROUND)))
def test_a_deployment_deleted_around_an_abort_is_told_with_what_ran_before(
    driver: DeploymentUpdate, shop: Shop, namespace: str, name: str, begun: bool
) -> None:
    own, says = PUSHES[name]
    settings = config(namespace, **own)
    at = step_until(driver, settings, lambda wait: says in wait.message)
    if begun:
        outcome = driver.interrupt(settings, EVENT, at, Interruption.ABORT)
        assert isinstance(outcome, Wait)
        at = replace(at, state=outcome.state)
    shop.client.ok("DELETE", shop._path("Deployment", "shop"))
    eventually(lambda: shop.find("Deployment", "shop") is None)
    error = told(driver, settings, at)
    assert error.reason == "not_found"
    assert "was aborted" in error.message and GONE in error.message
    assert "was not found: create it" in error.message
    assert "Left behind" not in error.message and shop.selector() == LABELS
    for second in ("shop-green", "shop-canary"):
        eventually(lambda second=second: shop.find("Deployment", second) is None)


@pytest.mark.parametrize("make", [canary, blue_green])
def test_what_outlives_a_deployment_that_is_deleted_alone_is_named(
    driver: DeploymentUpdate, shop: Shop, namespace: str, make: Any
) -> None:
    settings = make(namespace)
    at = step_until(driver, settings, lambda wait: "new pods" in wait.message)
    shop.client.ok("DELETE", shop._path("Deployment", "shop"), {"propagationPolicy": "Orphan"})
    eventually(lambda: shop.find("Deployment", "shop") is None)
    second = "shop-green" if make is blue_green else "shop-canary"
    eventually(lambda: not shop.get("Deployment", second)["metadata"].get("ownerReferences"))
    error = told(driver, settings, at)
    assert "was aborted" in error.message
    assert f"Left behind: Deployment {namespace}/{second}" in error.message
    assert f"kubectl -n {namespace} delete deployment {second}" in error.message


@pytest.mark.parametrize("name", ["rolling", "canary", "blueGreen, after the switch"])
def test_a_namespace_deleted_in_an_abort_is_told_and_can_be_made_anew(
    driver: DeploymentUpdate, shop: Shop, namespace: str, client: Client, name: str
) -> None:
    own, says = PUSHES[name]
    settings = config(namespace, **own)
    at = step_until(driver, settings, lambda wait: says in wait.message)
    outcome = driver.interrupt(settings, EVENT, at, Interruption.ABORT)
    assert isinstance(outcome, Wait)
    path = f"/api/v1/namespaces/{namespace}"
    client.ok("DELETE", path)
    eventually(lambda: shop.find("Deployment", "shop") is None)
    error = told(driver, settings, replace(at, state=outcome.state))
    assert error.reason == "not_found"
    assert "was aborted" in error.message and GONE in error.message
    eventually(lambda: client.send("GET", path).code == 404)
    client.ok("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
