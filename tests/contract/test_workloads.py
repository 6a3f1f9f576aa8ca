from typing import Any

from tests.contract.client import MERGE, STRATEGIC, Client, eventually
from tests.contract.manifests import (
    LABELS,
    deployment,
    image_patch,
    pods,
    resource,
    template,
)


def stateful_sets(namespace: str, name: str = "") -> str:
    return resource("apps/v1", "statefulsets", namespace, name)


def daemon_sets(namespace: str, name: str = "") -> str:
    return resource("apps/v1", "daemonsets", namespace, name)


def stateful_set(**spec: Any) -> dict[str, Any]:
    base = deployment()["spec"] | {"replicas": 3, "serviceName": "shop"}
    return {"metadata": {"name": "shop"}, "spec": base | spec}


def daemon_set(**spec: Any) -> dict[str, Any]:
    base = {"selector": {"matchLabels": LABELS}, "template": template()}
    return {"metadata": {"name": "shop"}, "spec": base | spec}


def images(client: Client, namespace: str) -> dict[str, str]:
    items = client.ok("GET", pods(namespace))["items"]
    return {i["metadata"]["name"]: i["spec"]["containers"][0]["image"] for i in items}


def settled(client: Client, path: str, **counts: int) -> Any:
    def check() -> Any:
        item = client.ok("GET", path)
        status = item["status"]
        assert status.get("observedGeneration") == item["metadata"]["generation"], status
        assert {field: status.get(field, 0) for field in counts} == counts
        return item

    return eventually(check)


def test_a_stateful_set_starts_its_pods_in_order(client: Client, namespace: str) -> None:
    version = client.ok("GET", pods(namespace))["metadata"]["resourceVersion"]
    client.ok("POST", stateful_sets(namespace), stateful_set())
    settled(client, stateful_sets(namespace, "shop"), replicas=3, readyReplicas=3)
    order: list[str] = []
    ready: set[str] = set()
    with client.watch(pods(namespace), resourceVersion=version) as events:
        for event in events:
            pod = event["object"]
            name = pod["metadata"]["name"]
            if event["type"] == "ADDED":
                assert ready == set(order), "the pods before were not ready"
                order.append(name)
            conditions = pod["status"].get("conditions", ())
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                ready.add(name)
            if len(ready) == 3:
                break
    assert order == ["shop-0", "shop-1", "shop-2"]


def test_a_stateful_set_updates_all_its_pods(client: Client, namespace: str) -> None:
    path = stateful_sets(namespace, "shop")
    client.ok("POST", stateful_sets(namespace), stateful_set())
    before = settled(client, path, readyReplicas=3, currentReplicas=3)["status"]
    assert before["currentRevision"] == before["updateRevision"]
    client.ok("PATCH", path, image_patch("acme/shop:2"), STRATEGIC)

    def done() -> Any:
        status = settled(client, path, readyReplicas=3, currentReplicas=3)["status"]
        assert status["currentRevision"] == status["updateRevision"]
        assert status["currentRevision"] != before["currentRevision"]
        return status

    status = eventually(done)
    assert set(images(client, namespace).values()) == {"acme/shop:2"}
    for pod in client.ok("GET", pods(namespace))["items"]:
        labels = pod["metadata"]["labels"]
        assert labels["controller-revision-hash"] == status["updateRevision"]
        assert labels["statefulset.kubernetes.io/pod-name"] == pod["metadata"]["name"]


def test_a_partition_holds_back_the_lower_pods(client: Client, namespace: str) -> None:
    path = stateful_sets(namespace, "shop")
    client.ok("POST", stateful_sets(namespace), stateful_set())
    settled(client, path, readyReplicas=3, currentReplicas=3)
    partition = {"updateStrategy": {"rollingUpdate": {"partition": 2}}}
    patch = image_patch("acme/shop:2")
    patch["spec"] |= partition
    client.ok("PATCH", path, patch, STRATEGIC)
    status = settled(client, path, updatedReplicas=1, readyReplicas=3)["status"]
    assert status["currentRevision"] != status["updateRevision"]
    assert images(client, namespace) == {
        "shop-0": "acme/shop:1",
        "shop-1": "acme/shop:1",
        "shop-2": "acme/shop:2",
    }
    client.ok("DELETE", pods(namespace, "shop-0"))
    eventually(lambda: images(client, namespace).get("shop-0") == "acme/shop:1")


def test_on_delete_updates_only_deleted_pods(client: Client, namespace: str) -> None:
    path = stateful_sets(namespace, "shop")
    body = stateful_set(replicas=2, updateStrategy={"type": "OnDelete"})
    client.ok("POST", stateful_sets(namespace), body)
    settled(client, path, readyReplicas=2)
    client.ok("PATCH", path, image_patch("acme/shop:2"), STRATEGIC)
    settled(client, path, readyReplicas=2)
    assert set(images(client, namespace).values()) == {"acme/shop:1"}
    client.ok("DELETE", pods(namespace, "shop-1"))
    expected = {"shop-0": "acme/shop:1", "shop-1": "acme/shop:2"}
    eventually(lambda: images(client, namespace) == expected)


def test_a_broken_pod_blocks_a_stateful_set(client: Client, namespace: str) -> None:
    path = stateful_sets(namespace, "shop")
    client.ok("POST", stateful_sets(namespace), stateful_set(replicas=2))
    settled(client, path, readyReplicas=2)
    client.ok("PATCH", path, image_patch("acme/shop:bad"), STRATEGIC)
    eventually(lambda: images(client, namespace).get("shop-1") == "acme/shop:bad")
    settled(client, path, readyReplicas=1, updatedReplicas=1)
    # Not even the way back helps: the broken pod has to be deleted.
    client.ok("PATCH", path, image_patch("acme/shop:1"), STRATEGIC)
    settled(client, path, readyReplicas=1)
    assert images(client, namespace)["shop-1"] == "acme/shop:bad"
    client.ok("DELETE", pods(namespace, "shop-1"))
    settled(client, path, readyReplicas=2)
    assert set(images(client, namespace).values()) == {"acme/shop:1"}


def test_a_stateful_set_scales_down_from_the_top(client: Client, namespace: str) -> None:
    path = stateful_sets(namespace, "shop")
    client.ok("POST", stateful_sets(namespace), stateful_set())
    settled(client, path, readyReplicas=3)
    client.ok("PATCH", f"{path}/scale", {"spec": {"replicas": 1}}, MERGE)
    settled(client, path, replicas=1, readyReplicas=1)
    assert eventually(lambda: set(images(client, namespace)) == {"shop-0"})


def test_a_daemon_set_runs_on_every_node(client: Client, namespace: str) -> None:
    path = daemon_sets(namespace, "shop")
    client.ok("POST", daemon_sets(namespace), daemon_set())
    counts = {"desiredNumberScheduled": 3, "numberReady": 3, "numberAvailable": 3}
    settled(client, path, **counts, updatedNumberScheduled=3)
    items = client.ok("GET", pods(namespace))["items"]
    assert len({item["spec"]["nodeName"] for item in items}) == 3


def test_a_daemon_set_updates_within_its_limit(client: Client, namespace: str) -> None:
    path = daemon_sets(namespace, "shop")
    client.ok("POST", daemon_sets(namespace), daemon_set())
    settled(client, path, numberAvailable=3)
    client.ok("PATCH", path, image_patch("acme/shop:bad"), STRATEGIC)
    settled(client, path, numberAvailable=2, numberUnavailable=1, updatedNumberScheduled=1)
    client.ok("PATCH", path, image_patch("acme/shop:2"), STRATEGIC)
    settled(client, path, numberAvailable=3, updatedNumberScheduled=3, numberUnavailable=0)
    assert set(images(client, namespace).values()) == {"acme/shop:2"}


def test_a_daemon_set_on_delete_waits_for_deletes(client: Client, namespace: str) -> None:
    path = daemon_sets(namespace, "shop")
    body = daemon_set(updateStrategy={"type": "OnDelete"})
    client.ok("POST", daemon_sets(namespace), body)
    settled(client, path, numberAvailable=3)
    client.ok("PATCH", path, image_patch("acme/shop:2"), STRATEGIC)
    settled(client, path, updatedNumberScheduled=0, numberAvailable=3)
    client.ok("DELETE", pods(namespace, next(iter(images(client, namespace)))))
    settled(client, path, updatedNumberScheduled=1, numberAvailable=3)
    assert sorted(images(client, namespace).values()) == ["acme/shop:1"] * 2 + ["acme/shop:2"]


def test_a_job_completes(client: Client, namespace: str) -> None:
    path = resource("batch/v1", "jobs", namespace)
    spec = {"template": template(restartPolicy="Never"), "completions": 2, "backoffLimit": 1}
    client.ok("POST", path, {"metadata": {"name": "once"}, "spec": spec})

    def complete() -> Any:
        status = client.ok("GET", f"{path}/once")["status"]
        conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
        assert conditions.get("Complete") == "True", status
        return status

    status = eventually(complete)
    assert status["succeeded"] == 2 and status["completionTime"]
