"""What would fail or do harm is said when a receiver is created and simulated, and at the begin."""

from typing import Any

import pytest

from tests.contract.client import MERGE, STRATEGIC, Client
from tests.contract.conftest import Cluster
from tests.contract.manifests import deployments, resource
from tests.contract.test_two_objects import driver
from tests.drivers.steps import LABELS, SHA, Clock, config, context, push, run_to_end, workload
from tests.drivers.strategies.colours import Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import Done, DriverError, InvalidConfig
from webhook_service.testing import sample_context

EVENT = push("2", SHA)
__all__ = ["driver"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    return Shop(client, cluster.kubeconfig, namespace)


def refused(driver: DeploymentUpdate, settings: DeploymentUpdateConfig, words: str) -> None:
    """At creation, at a simulation and at the begin."""
    with pytest.raises(InvalidConfig, match=words):
        driver.validate(settings, sample_context())
    assert words in " ".join(driver.plan(settings, EVENT, context(1)).notes)
    with pytest.raises(DriverError, match=words) as caught:
        driver.execute(settings, EVENT, context(1))
    assert caught.value.message.startswith("Nothing was changed: ")


def another(shop: Shop, **labels: str) -> None:
    """Another workload of the same namespace, which the Service of the shop selects too."""
    body = workload(image="acme/api:1")
    template = {"metadata": {"labels": labels}, "spec": body["spec"]["template"]["spec"]}
    body["metadata"] = {"name": "api", "namespace": shop.namespace}
    body["spec"] = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    shop.client.ok("POST", deployments(shop.namespace), body)


def test_a_service_that_also_sends_to_another_workload_is_refused(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start(selector={"matchLabels": LABELS | {"part": "web"}}, template=_template(part="web"))
    another(shop, **LABELS, part="api")
    refused(driver, blue_green(namespace), "sends to Deployment api too")
    shop.assert_at_rest("acme/shop:1")


def _template(**labels: str) -> dict[str, Any]:
    template: dict[str, Any] = workload()["spec"]["template"]
    template["metadata"]["labels"] = LABELS | labels
    return template


def test_another_service_on_the_same_pods_is_refused_for_a_check_and_else_a_warning(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start()
    shop.service("shop-preview")
    plain = blue_green(namespace, preview="shop-preview")
    assert driver.warnings(plain, sample_context()) == ()
    shop.service("internal")
    checked = blue_green(namespace, preview="shop-preview", check={"path": "/"})
    refused(driver, checked, "Service internal selects the pods of")
    (said,) = driver.warnings(plain, sample_context())
    assert "Service internal selects the pods of" in said
    assert isinstance(run_to_end(driver, plain, EVENT, context(1)), Done)


@pytest.mark.parametrize("strategy", [blue_green, canary])
def test_a_quota_without_room_is_told_before_anything_is_changed(
    driver: DeploymentUpdate, shop: Shop, namespace: str, strategy: Any
) -> None:
    shop.start()
    body = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "3"}}}
    path = resource("v1", "resourcequotas", namespace)
    shop.client.ok("POST", path, body)
    full = {"status": {"hard": {"pods": "3"}, "used": {"pods": "3"}}}
    shop.client.ok("PATCH", f"{path}/small/status", full, MERGE)
    settings = strategy(namespace)
    assert "quota small has 0 of pods left" in " ".join(driver.warnings(settings, sample_context()))
    with pytest.raises(
        DriverError, match="Nothing was changed: There is no room for a second set"
    ) as caught:
        driver.execute(settings, EVENT, context(1))
    assert caught.value.reason == "no_room"


def test_ports_of_nodes_and_volumes_of_one_node_are_a_warning(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start()
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = resource("v1", "persistentvolumeclaims", namespace)
    created = shop.client.send("POST", claims, {"metadata": {"name": "data"}, "spec": spec})
    container = {"name": "app", "ports": [{"containerPort": 80, "hostPort": 8080}]}
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    pod = {"containers": [container], "volumes": [volume]}
    shop.client.ok(
        "PATCH", shop._path("Deployment", "shop"), {"spec": {"template": {"spec": pod}}}, STRATEGIC
    )
    said = " ".join(driver.warnings(blue_green(namespace), sample_context()))
    assert "use the port 8080 of their node" in said
    if created.code == 201:
        assert "volume claim data, which is ReadWriteOnce" in said


def test_pods_that_must_be_ready_for_longer_than_a_rollout_has_are_refused(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.create(minReadySeconds=30)
    words = r"must be ready for 30 s (minReadySeconds), and the rollout has 20 s"
    slow = config(namespace)
    with pytest.raises(InvalidConfig) as caught:
        driver.validate(slow, sample_context())
    assert words in caught.value.message
    assert words in driver.plan(slow, EVENT, context(1)).notes[0]
    with pytest.raises(DriverError, match="Nothing was changed: A new pod") as failed:
        driver.execute(slow, EVENT, context(1))
    assert failed.value.reason == "unfit"
    driver.validate(config(namespace, strategy={"minReadySeconds": 5}), sample_context())


def test_a_tag_pushed_again_to_nodes_that_cache_it_is_told_in_the_plan_and_at_the_end(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start()
    settings = config(namespace)
    words = "Container app has imagePullPolicy IfNotPresent, and its tag was pushed again"
    assert words in " ".join(driver.plan(settings, push("1"), context(1)).notes)
    outcome = run_to_end(driver, settings, push("1"), context(1))
    assert isinstance(outcome, Done) and words in outcome.message
    assert "registry.resolve" in outcome.message
    pinned = run_to_end(driver, settings, EVENT, context(2))
    assert isinstance(pinned, Done) and "imagePullPolicy" not in pinned.message


def test_a_partition_that_keeps_every_pod_is_a_warning_and_told_at_the_end(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    body = workload("StatefulSet", replicas=2)
    body["metadata"]["namespace"] = namespace
    body["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    shop.client.ok("POST", resource("apps/v1", "statefulsets", namespace), body)
    settings = config(namespace, kind="StatefulSet")
    (said,) = driver.warnings(settings, sample_context())
    assert "has a partition of 2 and 2 pods, so a push replaces none of them" in said
    outcome = run_to_end(driver, settings, EVENT, context(1))
    assert isinstance(outcome, Done)
    assert "its partition keeps all pods as they are: 0 of 2 pods run" in outcome.message
