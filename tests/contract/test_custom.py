"""Custom resources, defined through the API as on any server."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.contract.client import APPLY, JSON_PATCH, MERGE, STRATEGIC, Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.manifests import resource
from tests.drivers.steps import config, context, push
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service.testing import definition

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = ("MachineDeployment", "Rollout", "Canary")


def version_and_plural(kind: str) -> tuple[str, str]:
    spec = definition(kind)["spec"]
    return f"{spec['group']}/{spec['versions'][0]['name']}", spec["names"]["plural"]


@pytest.fixture(scope="module")
def defined(client: Client) -> Iterator[None]:
    """All known kinds are served; the definitions go away after the module."""
    names = [definition(kind)["metadata"]["name"] for kind in KINDS]
    for kind in KINDS:
        client.ok("POST", DEFINITIONS, definition(kind))
    for kind, name in zip(KINDS, names, strict=True):
        eventually(lambda name=name: is_established(client, name))  # type: ignore[misc]
        path = resource(*version_and_plural(kind), "default")
        eventually(lambda path=path: client.send("GET", path).code == 200)  # type: ignore[misc]
    yield
    for kind, name in zip(KINDS, names, strict=True):
        client.ok("DELETE", f"{DEFINITIONS}/{name}")
        path = resource(*version_and_plural(kind), "default")
        eventually(lambda path=path: client.send("GET", path).code == 404)  # type: ignore[misc]


def is_established(client: Client, name: str) -> bool:
    status = client.ok("GET", f"{DEFINITIONS}/{name}").get("status") or {}
    found = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return found.get("Established") == "True"


class Kind:
    """One kind in the namespace of a test."""

    def __init__(self, client: Client, namespace: str, kind: str) -> None:
        self.client, self.kind = client, kind
        self.version, plural = version_and_plural(kind)
        self.path = resource(self.version, plural, namespace)

    def create(self, name: str = "shop", **spec: Any) -> Any:
        labels = {"labels": {"app": name}}
        body = {"apiVersion": self.version, "kind": self.kind, "spec": {"replicas": 2} | spec}
        return self.client.ok("POST", self.path, body | {"metadata": {"name": name} | labels})

    def patch(self, body: Any, media: str = MERGE, sub: str = "") -> Any:
        return self.client.ok("PATCH", f"{self.path}/shop{sub}", body, media)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, defined: None, client: Client, namespace: str) -> Kind:
    return Kind(client, namespace, request.param)


@pytest.fixture
def machines(defined: None, client: Client, namespace: str) -> Kind:
    return Kind(client, namespace, "MachineDeployment")


def test_a_custom_object_is_created_listed_and_deleted(kind: Kind) -> None:
    made = kind.create()
    assert (made["kind"], made["metadata"]["generation"]) == (kind.kind, 1)
    assert "status" not in made
    kind.create("other")
    query = {"labelSelector": "app=shop"}
    (found,) = kind.client.ok("GET", kind.path, query=query)["items"]
    assert found == made
    kind.client.ok("DELETE", f"{kind.path}/shop")
    assert kind.client.send("GET", f"{kind.path}/shop").code == 404


def test_a_strategic_merge_is_refused(kind: Kind) -> None:
    kind.create()
    answer = kind.client.send("PATCH", f"{kind.path}/shop", {"spec": {"a": 1}}, STRATEGIC)
    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert answer.body["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


def test_other_patches_work_and_lists_are_replaced(kind: Kind) -> None:
    kind.create(items=[{"name": "a"}, {"name": "b"}])
    merged = kind.patch({"spec": {"items": [{"name": "c"}]}})
    assert merged["spec"]["items"] == [{"name": "c"}] and merged["metadata"]["generation"] == 2
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 5}]
    assert kind.patch(operations, JSON_PATCH)["spec"]["replicas"] == 5
    applied = {"apiVersion": kind.version, "kind": kind.kind, "metadata": {"name": "shop"}}
    body = applied | {"spec": {"paused": True}}
    query = {"fieldManager": "me"}
    spec = kind.client.ok("PATCH", f"{kind.path}/shop", body, APPLY, query)["spec"]
    assert spec == {"replicas": 5, "paused": True, "items": [{"name": "c"}]}


def test_a_stale_version_is_refused(kind: Kind) -> None:
    stale = kind.create()["metadata"]["resourceVersion"]
    kind.patch({"spec": {"replicas": 3}})
    patch = {"metadata": {"resourceVersion": stale}, "spec": {"replicas": 4}}
    assert kind.client.send("PATCH", f"{kind.path}/shop", patch, MERGE).code == 409


def test_the_status_is_written_apart_from_the_spec(kind: Kind) -> None:
    kind.create()
    both = {"spec": {"replicas": 7}, "status": {"phase": "Healthy", "replicas": 2}}
    seen = kind.patch(both, sub="/status")
    assert (seen["spec"]["replicas"], seen["status"]["phase"]) == (2, "Healthy")
    assert seen["metadata"]["generation"] == 1
    seen = kind.patch(both | {"status": {"phase": "Degraded"}})
    assert (seen["spec"]["replicas"], seen["status"]["phase"]) == (7, "Healthy")


def test_annotations_raise_no_generation(kind: Kind) -> None:
    kind.create()
    assert kind.patch({"metadata": {"annotations": {"a": "b"}}})["metadata"]["generation"] == 1


def test_scale_reads_and_changes_only_the_replicas(machines: Kind) -> None:
    made = machines.create()
    machines.patch({"status": {"replicas": 1, "selector": "app=shop"}}, sub="/status")
    scale = machines.client.ok("GET", f"{machines.path}/shop/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 1, "selector": "app=shop"}
    assert scale["metadata"]["uid"] == made["metadata"]["uid"]
    scaled = machines.patch({"spec": {"replicas": 4}}, sub="/scale")
    assert scaled["spec"]["replicas"] == 4
    live = machines.client.ok("GET", f"{machines.path}/shop")
    assert (live["spec"]["replicas"], live["metadata"]["generation"]) == (4, 2)


@pytest.mark.parametrize("plural", ["replicasets", "statefulsets"])
def test_other_workloads_are_scaled_alike(client: Client, namespace: str, plural: str) -> None:
    labels = {"matchLabels": {"app": "x"}}
    template = {"metadata": {"labels": {"app": "x"}}}
    template |= {"spec": {"containers": [{"name": "app", "image": "acme/shop:1"}]}}
    spec = {"replicas": 0, "selector": labels, "template": template}
    spec |= {"serviceName": "x"} if plural == "statefulsets" else {}
    path = resource("apps/v1", plural, namespace)
    client.ok("POST", path, {"metadata": {"name": "x"}, "spec": spec})
    scaled = client.ok("PATCH", f"{path}/x/scale", {"spec": {"replicas": 1}}, MERGE)
    assert scaled["spec"] == {"replicas": 1}
    eventually(lambda: client.ok("GET", f"{path}/x")["status"].get("readyReplicas") == 1)


def test_who_took_back_the_image_of_a_custom_kind_is_named(
    kind: Kind, cluster: Cluster, namespace: str
) -> None:
    def containers(image: str) -> dict[str, Any]:
        return {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}

    def updated(number: int, **more: Any) -> Any:
        return driver.execute(settings, push("2"), context(number, **more))

    kind.create(**containers("acme/shop:1"))
    plural = version_and_plural(kind.kind)[1]
    target = {"kind": kind.kind, "apiVersion": kind.version, "plural": plural}
    settings = config(namespace, **target)
    with closing(DeploymentUpdate({"kubeconfig": str(cluster.kubeconfig)})) as driver:
        updated(1)
        (ours,) = driver.observe(settings, push("2"), context(1))
        assert (ours.image, ours.by, ours.ours) == ("acme/shop:2", "webhook-service", True)
        body = {"spec": containers("acme/shop:1")}
        query = {"fieldManager": "rollouts-ui"}
        kind.client.ok("PATCH", f"{kind.path}/shop", body, MERGE, query)
        (other,) = driver.observe(settings, push("2"), context(1))
        assert (other.image, other.by, other.ours) == ("acme/shop:1", "rollouts-ui", False)
        held = updated(2, identity="push-1")
    assert "was taken back" in held.reason and "by hand (rollouts-ui)" in held.reason
