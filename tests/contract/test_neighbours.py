"""Objects beside a workload: autoscalers, quotas, and a second Deployment behind one Service."""

from typing import Any

from tests.contract.client import MERGE, Client, eventually
from tests.contract.manifests import (
    LABELS,
    deployment,
    deployments,
    pods,
    replicasets,
    resource,
    template,
)


def autoscalers(namespace: str, name: str = "") -> str:
    return resource("autoscaling/v1", "horizontalpodautoscalers", namespace, name)


def quotas(namespace: str, name: str = "") -> str:
    return resource("v1", "resourcequotas", namespace, name)


def limit(client: Client, namespace: str, **hard: str) -> None:
    body = {"metadata": {"name": "small"}, "spec": {"hard": hard}}
    client.ok("POST", quotas(namespace), body)

    def counted() -> bool:
        status = client.ok("GET", quotas(namespace, "small")).get("status") or {}
        return bool(status.get("hard") == hard)

    eventually(counted)


def second(labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    """A Deployment whose pods the first one's selector would match too."""
    body = deployment(name="shop-green", **spec)
    body["spec"]["template"] = template("acme/shop:2")
    body["spec"]["template"]["metadata"] = {"labels": LABELS | labels}
    body["spec"]["selector"] = {"matchLabels": LABELS | labels}
    return body


def available(client: Client, namespace: str, name: str, wanted: int) -> Any:
    def check() -> Any:
        found = client.ok("GET", deployments(namespace, name))
        assert found["status"].get("availableReplicas", 0) == wanted, found["status"]
        return found

    return eventually(check)


def test_an_autoscaler_is_pointed_at_another_target(client: Client, namespace: str) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    spec = {"scaleTargetRef": target, "maxReplicas": 5}
    made = client.ok("POST", autoscalers(namespace), {"metadata": {"name": "hpa"}, "spec": spec})
    assert made["spec"]["minReplicas"] == 1
    patch = {"spec": {"scaleTargetRef": {"name": "shop-green"}}}
    moved = client.ok("PATCH", autoscalers(namespace, "hpa"), patch, MERGE)
    assert moved["spec"]["scaleTargetRef"] == target | {"name": "shop-green"}
    assert moved["spec"]["maxReplicas"] == 5
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    assert client.send("PATCH", autoscalers(namespace, "hpa"), stale | patch, MERGE).code == 409


def test_a_quota_refuses_a_second_deployment(client: Client, namespace: str) -> None:
    limit(client, namespace, **{"count/deployments.apps": "1"})
    client.ok("POST", deployments(namespace), deployment())
    answer = client.send("POST", deployments(namespace), second({"color": "green"}))
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"] == (
        'deployments.apps "shop-green" is forbidden: exceeded quota: small, requested: '
        "count/deployments.apps=1, used: count/deployments.apps=1, limited: "
        "count/deployments.apps=1"
    )


def test_a_quota_on_pods_shows_on_the_deployment(client: Client, namespace: str) -> None:
    limit(client, namespace, pods="2")
    client.ok("POST", deployments(namespace), deployment(replicas=3))

    def refused() -> Any:
        status = client.ok("GET", deployments(namespace, "shop"))["status"]
        found = {c["type"]: c for c in status.get("conditions", ())}
        assert status.get("availableReplicas") == 2
        return found["ReplicaFailure"] if "ReplicaFailure" in found else None

    condition = eventually(refused)
    assert (condition["status"], condition["reason"]) == ("True", "FailedCreate")
    assert "is forbidden: exceeded quota: small, requested: pods=1" in condition["message"]
    client.ok("PATCH", deployments(namespace, "shop"), {"spec": {"replicas": 2}}, MERGE)

    def recovered() -> bool:
        status = client.ok("GET", deployments(namespace, "shop"))["status"]
        return "ReplicaFailure" not in {c["type"] for c in status["conditions"]}

    eventually(recovered)


def test_overlapping_selectors_do_not_fight(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment(replicas=2))
    first = available(client, namespace, "shop", 2)
    client.ok("POST", deployments(namespace), second({"color": "green"}, replicas=3))
    green = available(client, namespace, "shop-green", 3)
    client.ok("PATCH", deployments(namespace, "shop"), {"spec": {"replicas": 4}}, MERGE)
    available(client, namespace, "shop", 4)
    items = client.ok("GET", replicasets(namespace))["items"]
    owners = {i["metadata"]["ownerReferences"][0]["uid"]: i["spec"]["replicas"] for i in items}
    assert owners == {first["metadata"]["uid"]: 4, green["metadata"]["uid"]: 3}
    client.ok("DELETE", deployments(namespace, "shop-green"), {"propagationPolicy": "Background"})
    eventually(lambda: len(client.ok("GET", pods(namespace))["items"]) == 4)
    assert len(client.ok("GET", replicasets(namespace))["items"]) == 1


def test_a_selector_moves_a_service_in_one_step(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment(replicas=2))
    client.ok("POST", deployments(namespace), second({"color": "green"}, replicas=2))
    for name in ("shop", "shop-green"):
        available(client, namespace, name, 2)
    items = client.ok("GET", replicasets(namespace))["items"]
    digests = {i["metadata"]["name"].rpartition("-")[0]: i["metadata"]["labels"] for i in items}
    selector = LABELS | {"pod-template-hash": digests["shop"]["pod-template-hash"]}
    service = {
        "metadata": {"name": "shop"},
        "spec": {"selector": selector, "ports": [{"port": 80}]},
    }
    client.ok("POST", resource("v1", "services", namespace), service)

    def addresses(begin: str) -> bool:
        found = client.ok("GET", resource("v1", "endpoints", namespace, "shop"))
        names = {
            address["targetRef"]["name"].startswith(begin)
            for subset in found.get("subsets") or ()
            for address in subset.get("addresses", ())
        }
        return names == {True}

    eventually(lambda: addresses(f"shop-{digests['shop']['pod-template-hash']}-"))
    path = resource("v1", "services", namespace, "shop")
    moved = {"spec": {"selector": {"color": "green", "pod-template-hash": None}}}
    patched = client.ok("PATCH", path, moved, "application/strategic-merge-patch+json")
    assert patched["spec"]["selector"] == LABELS | {"color": "green"}
    eventually(lambda: addresses("shop-green-"))
